package runtimeapi

import (
	"context"
	"io"
	"sync"
	"time"
)

// Invocation is one event on its way through a runtime. The runtime writes the
// answer into it by the API; the invoker reads it, at its own pace.
type Invocation struct {
	ID            string // Lambda's request id
	ARN           string // that was invoked, with the qualifier
	Trace         string
	ClientContext string
	Event         []byte
	Streaming     bool // the invoker called InvokeWithResponseStream

	// Deadline and Answered are set before [Session.Begin]. Answered, if not nil, is
	// called when the answer ends, before the invoker sees the end.
	Deadline time.Time
	Answered func()

	read  *io.PipeReader
	write *io.PipeWriter

	// What the runtime sent as its response; valid once responded is closed.
	sentFrom, sentUntil time.Time
	sent                int64

	once      sync.Once
	responded chan struct{} // closed when the runtime has ended its answer
	truncated bool          // the answer broke off; valid once responded is closed
	failed    *Failure      // an error the runtime reported; likewise

	// ctx ends when the environment gives the invocation up, so that nothing waits
	// for a slow invoker or for bandwidth any longer.
	ctx    context.Context
	cancel context.CancelFunc
}

// NewInvocation makes an invocation that nobody has begun.
func NewInvocation() *Invocation {
	v := &Invocation{responded: make(chan struct{})}
	v.read, v.write = io.Pipe()
	v.ctx, v.cancel = context.WithCancel(context.Background())
	return v
}

// Read reads the answer as it comes, for the invoker. Its error at the end is
// io.EOF or a [*Failure].
func (v *Invocation) Read(p []byte) (int, error) { return v.read.Read(p) }

// Abandon drops what is yet to come of the answer: the invoker no longer reads.
func (v *Invocation) Abandon(err error) { _ = v.read.CloseWithError(err) }

// Responded is closed when the runtime has ended its answer, or broke it off.
func (v *Invocation) Responded() <-chan struct{} { return v.responded }

// Truncated reports whether the answer broke off. It is valid once Responded is
// closed, and Failure likewise.
func (v *Invocation) Truncated() bool { return v.truncated }

// Failure is the error that the runtime reported, or nil.
func (v *Invocation) Failure() *Failure { return v.failed }

// Sent says when the runtime sent its response, and how many bytes; the times are zero
// where it sent none. It is valid once Responded is closed.
func (v *Invocation) Sent() (from, until time.Time, bytes int64) {
	return v.sentFrom, v.sentUntil, v.sent
}

// respond ends the runtime's answer. A truncated answer is left open: the
// environment knows why it broke off.
func (v *Invocation) respond(f *Failure, truncated bool) {
	v.once.Do(func() {
		v.truncated, v.failed = truncated, f
		if !truncated {
			v.End(f)
		}
		close(v.responded)
	})
}

// End tells the invoker that no more comes. The first call counts.
func (v *Invocation) End(f *Failure) {
	if v.Answered != nil {
		v.Answered()
	}
	if f != nil {
		_ = v.write.CloseWithError(f)
		return
	}
	_ = v.write.Close()
}

// GiveUp ends the invocation as far as the environment is concerned: nothing waits
// for its invoker or for bandwidth any longer.
func (v *Invocation) GiveUp() { v.cancel() }

// Done is closed by GiveUp.
func (v *Invocation) Done() <-chan struct{} { return v.ctx.Done() }
