package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/proxyevent"
	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi"
	"github.com/aproorg/sluice/internal/bootstrap/supervise"
	"github.com/aproorg/sluice/internal/bootstrap/uploads"
	"github.com/aproorg/sluice/internal/hint"
)

// errCut is the cause of a request's end at the deadline.
var errCut = errors.New("the time limit of the function is near")

// serveHTTP asks the app and passes the answer on. The app's connection is closed when it returns.
func (inv *invocation) serveHTTP(ctx context.Context) error {
	appCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alarm := time.AfterFunc(time.Until(inv.cut), func() { cancel(errCut) })
	defer alarm.Stop()

	if inv.cfg.Uploads != nil {
		if strings.HasPrefix(inv.req.Path, uploadsOwn) {
			return inv.serveUpload(ctx, appCtx)
		}
		tickets := inv.req.Header[uploads.Header]
		switch {
		case len(tickets) == 0:
		case !uploads.Takes(inv.req.Method): // a browser that was redirected to a GET by 303 brings the header along
			delete(inv.req.Header, uploads.Header)
		default:
			body, err := inv.redeem(appCtx, tickets[0])
			if err != nil {
				return inv.refuseUpload(ctx, appCtx, err)
			}
			defer body.Close()
		}
	}
	if inv.cfg.EarlyHeaders > 0 && inv.streams() && acceptsEvents(inv.req.Header) {
		return inv.serveEarly(ctx, appCtx, alarm)
	}
	resp, err := inv.ask(appCtx, inv.req)
	if err != nil {
		return inv.noAnswer(ctx, appCtx, err)
	}
	defer resp.close()
	return inv.pass(ctx, appCtx, resp, alarm)
}

func (inv *invocation) streams() bool { return inv.req.Kind.Streams() && !inv.cfg.Buffered }

// noAnswer answers for an app that did not: it has not started, died, or took too long.
func (inv *invocation) noAnswer(ctx, appCtx context.Context, err error) error {
	switch {
	case errors.Is(context.Cause(appCtx), errCut):
		inv.log.Warn("the app did not answer in time", "path", inv.req.Path, "error", hint.Text(err))
		return inv.answer(ctx, http.StatusGatewayTimeout, "The application did not answer in time.")
	case inv.upload != nil && inv.upload.Err() != nil:
		inv.log.Error("an upload broke off", "path", inv.req.Path, "error", inv.upload.Err())
		return inv.answer(ctx, http.StatusBadGateway, "The upload could not be read from S3. Send the file again.")
	case errors.Is(err, supervise.ErrStart):
		return inv.sent(inv.cfg.API.Fail(ctx, inv.ID, runtimeapi.Failure{Type: "Sluice.AppStart", Message: hint.Text(err), Trace: inv.cfg.App.Tail()}))
	}
	inv.log.Error("the app did not answer", "path", inv.req.Path, "error", hint.Text(err))
	message, ended := whyNoAnswer(err)
	if ended {
		inv.awaitEnd()
	}
	return inv.answer(ctx, http.StatusBadGateway, message)
}

// whyNoAnswer is what a client is told, and whether the app has ended.
func whyNoAnswer(err error) (message string, ended bool) {
	var bad *badAnswerError
	if !errors.As(err, &bad) {
		return "The application ended while it worked on this request.", true
	}
	reason := bad.reason.Error() // net/http's errors quote what they could not read
	return "The application's answer cannot be passed on: " + strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "\uFFFD"), false
}

// maxReason bounds what a client is told of a malformed answer, which may quote a line of it, in bytes.
const maxReason = 300

// pass sends the app's response on, streamed where the gateway takes a stream.
func (inv *invocation) pass(ctx, appCtx context.Context, resp *response, alarm *time.Timer) error {
	if resp.ContentLength == 0 && inv.req.Method != http.MethodHead && bodyAllowed(resp.StatusCode) {
		resp.Header["Content-Length"] = []string{"0"} // a streamed answer without body or length leaves clients waiting
	}
	if !inv.streams() {
		return inv.passBuffered(ctx, appCtx, resp)
	}
	prelude, err := proxyevent.AppendPrelude(nil, inv.req.Kind, resp.StatusCode, resp.Header)
	if err != nil {
		inv.log.Error("the response cannot be passed on", "path", inv.req.Path, "error", err)
		return inv.answer(ctx, http.StatusBadGateway, err.Error())
	}
	together := resp.buffered()
	var body io.Reader = &plainBody{body: resp.Body, ctx: appCtx, inv: inv}
	if isEventStream(resp) {
		alarm.Stop() // the stream ends itself
		stream := inv.newEventStream(fromBody(resp.Body))
		defer func() { resp.close(); stream.stop() }()
		body = stream
	}
	answer := &preluded{prelude: prelude, body: body, together: together}
	return inv.sent(inv.cfg.API.Stream(ctx, inv.ID, proxyevent.ContentType, answer))
}

// sent ends the invocation, and tells errors that end one response from those that end the runtime.
func (inv *invocation) sent(err error) error {
	if inv.broke {
		inv.awaitEnd()
	}
	var status *runtimeapi.StatusError
	if errors.As(err, &status) && !status.Fatal() {
		inv.log.Error("Lambda did not take the response", "error", err)
		return nil
	}
	return err
}

// answer sends a small response of our own, of the shape that API Gateway's errors have.
func (inv *invocation) answer(ctx context.Context, status int, message string) error {
	return inv.answerJSON(ctx, status, map[string]string{"message": message})
}

// answerJSON sends a small response of our own.
func (inv *invocation) answerJSON(ctx context.Context, status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return inv.answerBytes(ctx, status, http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}}, body)
}

func (inv *invocation) answerBytes(ctx context.Context, status int, h http.Header, body []byte) error {
	h["Content-Length"] = []string{fmt.Sprint(len(body))}
	if !inv.streams() {
		return inv.respondBuffered(ctx, status, h, body)
	}
	prelude, err := proxyevent.AppendPrelude(nil, inv.req.Kind, status, h)
	if err != nil {
		return err
	}
	if inv.req.Method == http.MethodHead {
		body = nil
	}
	return inv.sent(inv.cfg.API.Stream(ctx, inv.ID, proxyevent.ContentType, &preluded{prelude: append(prelude, body...)}))
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// isEventStream says whether events may be put into the body: not into one that is compressed or of a set length.
func isEventStream(resp *response) bool {
	encoding := resp.Header.Get("Content-Encoding")
	return resp.ContentLength < 0 && isEventType(resp.Header.Get("Content-Type")) && (encoding == "" || encoding == "identity")
}

func isEventType(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(media), "text/event-stream")
}

func acceptsEvents(h http.Header) bool {
	for _, value := range h["Accept"] {
		for item := range strings.SplitSeq(value, ",") {
			if isEventType(item) {
				return true
			}
		}
	}
	return false
}
