package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/aproorg/sluice/internal/bootstrap/proxyevent"
	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi"
)

// maxBuffered is Lambda's limit of a buffered response, in bytes.
const maxBuffered = 6 << 20

// passBuffered collects the response for a gateway that takes no stream.
func (inv *invocation) passBuffered(ctx, appCtx context.Context, resp *response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBuffered+1))
	if errors.Is(context.Cause(appCtx), errCut) {
		return inv.answer(ctx, http.StatusGatewayTimeout, "The application did not answer in time.")
	}
	if err != nil {
		return inv.noAnswer(ctx, appCtx, malformed(err))
	}
	return inv.respondBuffered(ctx, resp.StatusCode, resp.Header, body)
}

func (inv *invocation) respondBuffered(ctx context.Context, status int, h http.Header, body []byte) error {
	doc, err := proxyevent.Buffered(inv.req.Kind, status, h, body)
	if err != nil {
		return err
	}
	if len(doc) > maxBuffered {
		inv.log.Error("the response is too large for a buffered answer", "path", inv.req.Path, "bytes", len(doc))
		return inv.answer(ctx, http.StatusBadGateway, "The response passes 6 MB, which is the limit of a buffered answer.")
	}
	return inv.sent(inv.cfg.API.Respond(ctx, inv.ID, "application/json", doc))
}

// serveEvent posts an event that is not HTTP to the app. The body of the app's 2xx is the invocation's result; any other
// status is its failure, so that a queue or a schedule sends the event again.
func (inv *invocation) serveEvent(ctx context.Context) error {
	appCtx, cancel := context.WithDeadlineCause(ctx, inv.cut, errCut)
	defer cancel()
	inv.req = &proxyevent.Request{
		Method: http.MethodPost, Path: inv.cfg.EventsPath, Host: inv.cfg.App.Address(), Body: inv.Payload,
		Header: http.Header{"Content-Type": {"application/json"}, "User-Agent": {"sluice-bootstrap"}},
	}
	inv.identify()
	resp, err := inv.ask(appCtx, inv.req)
	if err != nil {
		return inv.failEvent(ctx, err.Error())
	}
	defer resp.close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBuffered+1))
	switch {
	case err != nil:
		return inv.failEvent(ctx, err.Error())
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return inv.failEvent(ctx, fmt.Sprintf("POST %s answered %s", inv.cfg.EventsPath, resp.Status))
	case len(body) > maxBuffered:
		return inv.failEvent(ctx, "the answer passes 6 MB")
	case len(body) == 0:
		body = []byte("null") // a result is JSON
	}
	return inv.sent(inv.cfg.API.Respond(ctx, inv.ID, "application/json", body))
}

func (inv *invocation) failEvent(ctx context.Context, reason string) error {
	inv.log.Error("the app did not take the event", "reason", reason)
	return inv.sent(inv.cfg.API.Fail(ctx, inv.ID, runtimeapi.Failure{Type: "Sluice.EventFailed", Message: reason}))
}
