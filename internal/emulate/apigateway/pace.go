package apigateway

import (
	"context"
	"time"
)

// A stream's first 10 MB pass as they come, the rest at 2 MB/s ("Response
// streaming").
const (
	freeBytes  = 10 << 20
	bytePerSec = 2 << 20
)

// pacer holds a stream to its bandwidth. The zero value is a new stream.
type pacer struct {
	sent int64
	next time.Time // when the next paced byte may go
}

// wait returns when n more bytes may be sent.
func (p *pacer) wait(ctx context.Context, n int) error {
	paced := min(int64(n), max(0, p.sent+int64(n)-freeBytes))
	p.sent += int64(n)
	if paced == 0 {
		return nil
	}
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(paced) * time.Second / bytePerSec)
	return sleep(ctx, p.next.Sub(now))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// idleTimer cancels a context when nothing has happened for a while.
type idleTimer struct {
	d      time.Duration
	timer  *time.Timer
	cancel context.CancelCauseFunc
}

func withIdle(ctx context.Context, d time.Duration) (context.Context, *idleTimer) {
	ctx, cancel := context.WithCancelCause(ctx)
	t := &idleTimer{d: d, cancel: cancel}
	t.timer = time.AfterFunc(d, func() { cancel(errIdle) })
	return ctx, t
}

func (t *idleTimer) reset() { t.timer.Reset(t.d) }

func (t *idleTimer) stop() {
	t.timer.Stop()
	t.cancel(nil)
}
