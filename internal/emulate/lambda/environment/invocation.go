package environment

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda/runtimeapi"
)

// Invocation is one event on its way through an environment.
type Invocation struct {
	*runtimeapi.Invocation
	Request string    // the id the timeline knows
	Began   time.Time // set when an environment takes it up
	By      string    // the environment's id, likewise

	taken chan *runtimeapi.Failure // holds one; see Taken

	tail *tail // nil unless the invoker asked for the log

	asked        sync.Once // method and path are read from the event
	method, path string
}

// NewInvocation makes an invocation that nobody has taken up. withLog keeps the end
// of its log.
func NewInvocation(request string, withLog bool) *Invocation {
	v := &Invocation{Invocation: runtimeapi.NewInvocation(), Request: request, taken: make(chan *runtimeapi.Failure, 1)}
	if withLog {
		v.tail = &tail{}
	}
	return v
}

// Taken yields nil once an environment has begun with the invocation, or why the one
// that it was given to could not be restored.
func (v *Invocation) Taken() <-chan *runtimeapi.Failure { return v.taken }

// refuse gives the invocation back. It is called instead of handle.
func (v *Invocation) refuse(f *runtimeapi.Failure) {
	v.taken <- f
	v.GiveUp()
}

// Log waits for the end of the invocation, whose last line it has, and returns the
// last 4 KB of the log. It is nil at once where the invoker did not ask for it.
func (v *Invocation) Log() []byte {
	if v.tail == nil {
		return nil
	}
	<-v.Done()
	return v.tail.bytes()
}

// Asks reads the method and the path out of a proxy integration's event; they are
// empty for other events.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html#api-gateway-simple-proxy-for-lambda-input-format
func (v *Invocation) Asks() (method, path string) {
	v.asked.Do(func() {
		var event struct{ HTTPMethod, Path string }
		if json.Unmarshal(v.Event, &event) == nil {
			v.method, v.path = event.HTTPMethod, event.Path
		}
	})
	return v.method, v.path
}

// tail keeps the last 4 KB of the log.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) add(line string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(append(t.buf, line...), '\n')
	if n := len(t.buf) - 4096; n > 0 {
		t.buf = append(t.buf[:0], t.buf[n:]...)
	}
}

func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]byte(nil), t.buf...)
}
