package lambda

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// invocation is one event on its way through an environment. The environment
// writes the answer into it; the invoker reads from it, at its own pace.
type invocation struct {
	id, request   string // Lambda's request id; the id the timeline knows
	trace         string
	clientContext string
	arn           string
	event         []byte
	tail          *tail // nil unless the invoker asked for the log

	// Set by the environment before the event is given out.
	began    time.Time
	deadline time.Time
	answered *atomic.Int64 // noted when the answer ends, before the invoker sees it

	read  *io.PipeReader
	write *io.PipeWriter

	asked        sync.Once // method and path are read from the event
	method, path string

	once      sync.Once
	responded chan struct{} // closed when the runtime has ended its answer
	truncated bool          // the answer broke off; valid once responded is closed
	failed    *failure      // an error the runtime reported; likewise

	// ctx ends when the environment gives the invocation up, so that nothing waits
	// for a slow invoker or for bandwidth any longer.
	ctx    context.Context
	cancel context.CancelFunc
}

func newInvocation() *invocation {
	v := &invocation{responded: make(chan struct{})}
	v.read, v.write = io.Pipe()
	v.ctx, v.cancel = context.WithCancel(context.Background())
	return v
}

// respond ends the runtime's answer. A truncated answer is left open: the
// environment knows why it broke off.
func (v *invocation) respond(f *failure, truncated bool) {
	v.once.Do(func() {
		v.truncated, v.failed = truncated, f
		if !truncated {
			v.end(f)
		}
		close(v.responded)
	})
}

// end tells the invoker that no more comes. The first call counts.
func (v *invocation) end(f *failure) {
	v.answered.Store(time.Now().UnixNano())
	if f != nil {
		_ = v.write.CloseWithError(f)
		return
	}
	_ = v.write.Close()
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
