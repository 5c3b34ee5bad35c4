package rehearse

import (
	"io"
	"net/http"
	"time"
)

// steady breaks off a request whose body stands still for longer than idle. One that
// keeps coming, however slowly, may take its time.
func steady(next http.Handler, idle time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		body := &steadyBody{ReadCloser: r.Body, idle: idle, deadline: http.NewResponseController(w).SetReadDeadline}
		r.Body = body
		defer body.rest()
		next.ServeHTTP(w, r)
	})
}

// steadyBody gives each read its own time.
type steadyBody struct {
	io.ReadCloser
	idle     time.Duration
	deadline func(time.Time) error
	over     bool
}

func (b *steadyBody) Read(p []byte) (int, error) {
	if b.over {
		return b.ReadCloser.Read(p)
	}
	_ = b.deadline(time.Now().Add(b.idle)) // a connection that takes no deadline has ended
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.over = true
	}
	if err == io.EOF {
		_ = b.deadline(time.Time{}) // the response may take as long as it likes
	}
	return n, err
}

// rest bounds the time in which the server reads what the handler has left.
func (b *steadyBody) rest() {
	if !b.over {
		_ = b.deadline(time.Now().Add(b.idle))
	}
}
