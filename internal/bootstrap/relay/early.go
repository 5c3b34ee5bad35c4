package relay

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/proxyevent"
	"github.com/aproorg/sluice/internal/hint"
)

// outcome is what became of a request to the app.
type outcome struct {
	resp *response
	err  error
}

// serveEarly waits for the app for EarlyHeaders and then gives the status away, so that heartbeats can keep the path open
// while the app thinks.
func (inv *invocation) serveEarly(ctx, appCtx context.Context, alarm *time.Timer) error {
	appCtx, cancel := context.WithCancel(appCtx)
	outcomes := make(chan outcome, 1)
	go func() {
		resp, err := inv.ask(appCtx, inv.req)
		outcomes <- outcome{resp, err}
	}()
	timer := time.NewTimer(inv.cfg.EarlyHeaders)
	defer timer.Stop()
	select {
	case o := <-outcomes:
		defer cancel()
		if o.err != nil {
			return inv.noAnswer(ctx, appCtx, o.err)
		}
		defer o.resp.close()
		return inv.pass(ctx, appCtx, o.resp, alarm)
	case <-timer.C:
		alarm.Stop() // the stream ends itself
		return inv.streamEarly(ctx, cancel, outcomes)
	}
}

// streamEarly begins an event stream of our own, into which the app's goes. cancel ends the request to the app.
func (inv *invocation) streamEarly(ctx context.Context, cancel func(), outcomes <-chan outcome) error {
	stream := inv.newEventStream(func(emit func([]byte) bool) error { return inv.late(<-outcomes, emit) })
	defer func() { cancel(); stream.stop() }()
	stream.rest = []byte(stream.beat())
	h := http.Header{"Content-Type": {"text/event-stream; charset=utf-8"}, "Cache-Control": {"no-cache, no-transform"}}
	prelude, err := proxyevent.AppendPrelude(nil, inv.req.Kind, http.StatusOK, h)
	if err != nil {
		return err
	}
	answer := &preluded{prelude: prelude, body: stream, together: true}
	return inv.sent(inv.cfg.API.Stream(ctx, inv.ID, proxyevent.ContentType, answer))
}

// late passes on a response whose status can no longer be sent: an event stream as it is, anything else as an error event.
func (inv *invocation) late(o outcome, emit func([]byte) bool) error {
	if o.err != nil {
		inv.log.Error("the app did not answer", "path", inv.req.Path, "error", hint.Text(o.err))
		message, _ := whyNoAnswer(o.err)
		return inv.emitError(emit, http.StatusBadGateway, []byte(message))
	}
	defer o.resp.close()
	if o.resp.StatusCode == http.StatusOK && isEventStream(o.resp) {
		return fromBody(o.resp.Body)(emit)
	}
	body, _ := io.ReadAll(io.LimitReader(o.resp.Body, maxLateBody))
	return inv.emitError(emit, o.resp.StatusCode, body)
}

// maxLateBody bounds the part of a body that an error event carries, in bytes.
const maxLateBody = 64 << 10

func (inv *invocation) emitError(emit func([]byte) bool, status int, body []byte) error {
	event, err := inv.lateError(status, body)
	if err != nil {
		return err
	}
	if !emit(event) {
		return errors.New("the stream had ended")
	}
	return io.EOF
}
