package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/aproorg/sluice/internal/bootstrap/proxyevent"
	"github.com/aproorg/sluice/internal/bootstrap/uploads"
	"github.com/aproorg/sluice/internal/uploadscript"
)

// Uploads says how bodies come by way of S3.
type Uploads struct {
	// Uploads is not nil once the app is ready: its key is among what is fetched at the cold start.
	Uploads func() *uploads.Uploads
	// Authorize is a path of the app that answers 2xx to a user who may upload, and User the JSON pointer (RFC 6901) of the user's id
	// in that answer.
	Authorize, User string
}

// uploadsOwn is the prefix of paths that never reach the app.
const uploadsOwn = "/_sluice/"

// serveUpload answers a wish for a ticket.
func (inv *invocation) serveUpload(ctx, appCtx context.Context) error {
	switch {
	case inv.req.Path == uploads.ScriptPath && (inv.req.Method == http.MethodGet || inv.req.Method == http.MethodHead):
		return inv.answerBytes(ctx, http.StatusOK, http.Header{"Content-Type": {"text/javascript; charset=utf-8"}, "Cache-Control": {"max-age=3600"}}, uploadscript.Script())
	case inv.req.Path != uploads.Path || inv.req.Method != http.MethodPost:
		return inv.answer(ctx, http.StatusNotFound, "There are only POST "+uploads.Path+" and GET "+uploads.ScriptPath+".")
	}
	offer, err := inv.offer(appCtx)
	if err != nil {
		return inv.refuseUpload(ctx, appCtx, err)
	}
	return inv.answerJSON(ctx, http.StatusOK, offer)
}

func (inv *invocation) offer(ctx context.Context) (uploads.Offer, error) {
	wish, user, err := inv.admit(ctx, inv.req.Body)
	if err != nil {
		return uploads.Offer{}, err
	}
	return inv.uploads().Offer(ctx, wish, user)
}

// admit reads a wish that can be granted, and who has it.
func (inv *invocation) admit(ctx context.Context, body []byte) (wish uploads.Wish, user string, err error) {
	if wish, err = uploads.ReadWish(body); err != nil {
		return wish, "", err
	}
	if user, err = inv.authorize(ctx); err != nil {
		return wish, "", err
	}
	return wish, user, inv.uploads().Fits(wish)
}

// uploads is what authorize has found to be there.
func (inv *invocation) uploads() *uploads.Uploads { return inv.cfg.Uploads.Uploads() }

// redeem gives the request the body that its ticket is for. It must be closed after the answer.
func (inv *invocation) redeem(ctx context.Context, ticket string) (*uploads.Body, error) {
	if len(inv.req.Body) > 0 {
		return nil, &uploads.Refusal{Status: http.StatusBadRequest, Message: "A request with an upload's ticket has no body of its own."}
	}
	if ticket == uploads.Lost {
		return nil, &uploads.Refusal{Status: http.StatusBadGateway, Message: "The file did not get to S3. Send it again."}
	}
	if strings.HasPrefix(ticket, "{") {
		return nil, inv.whyRefused(ctx, ticket)
	}
	user, err := inv.authorize(ctx)
	if err != nil {
		return nil, err
	}
	uri := inv.req.Path
	if inv.req.RawQuery != "" {
		uri += "?" + inv.req.RawQuery
	}
	body, err := inv.uploads().Redeem(ctx, ticket, inv.req.Method, uri, user)
	if err != nil {
		return nil, err
	}
	delete(inv.req.Header, uploads.Header)
	delete(inv.req.Header, "Content-Type")
	if body.Type != "" {
		inv.req.Header["Content-Type"] = []string{body.Type}
	}
	inv.req.Stream, inv.req.Length, inv.upload = body, body.Size, body
	return body, nil
}

// whyRefused answers a request in whose place a ticket was asked for and refused, so that its sender hears why.
func (inv *invocation) whyRefused(ctx context.Context, wish string) error {
	if _, _, err := inv.admit(ctx, []byte(wish)); err != nil {
		return err
	}
	return &uploads.Refusal{Status: http.StatusConflict, Message: "An upload was refused, and would not be now. Send the file again."}
}

// maxAuthorized bounds what is read of the app's answer about a user, in bytes.
const maxAuthorized = 1 << 20

// authorize asks the app who sends this request, with the request's own cookies and Authorization.
func (inv *invocation) authorize(ctx context.Context) (user string, err error) {
	about := &proxyevent.Request{Kind: inv.req.Kind, Method: http.MethodGet, Path: inv.cfg.Uploads.Authorize, Host: inv.req.Host, Header: http.Header{}}
	for name, values := range inv.req.Header {
		if !ofTheRequest(name) {
			about.Header[name] = values
		}
	}
	about.Header["Accept"] = []string{"application/json"}
	resp, err := inv.ask(ctx, about)
	if err != nil {
		return "", unanswered{err}
	}
	defer resp.close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAuthorized))
	switch {
	case err != nil:
		return "", unanswered{fmt.Errorf("read the answer of %s: %w", about.Path, err)}
	case resp.StatusCode == http.StatusUnauthorized:
		return "", &uploads.Refusal{Status: resp.StatusCode, Message: "Sign in to upload."}
	case resp.StatusCode >= 500:
		return "", &uploads.Refusal{Status: http.StatusBadGateway, Message: "The application cannot say who uploads."}
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return "", &uploads.Refusal{Status: http.StatusForbidden, Message: "You may not upload."}
	}
	if user, err = pointed(data, inv.cfg.Uploads.User); err != nil {
		inv.log.Error("nobody can upload: the answer of SLUICE_UPLOAD_AUTHORIZE has no user at SLUICE_UPLOAD_USER", "path", about.Path, "pointer", inv.cfg.Uploads.User, "error", err)
		return "", &uploads.Refusal{Status: http.StatusBadGateway, Message: "The application does not say who uploads."}
	}
	return user, nil
}

// ofTheRequest says whether a header is about the request's own body or answer, and not about who sends it.
func ofTheRequest(name string) bool {
	return strings.HasPrefix(name, "Content-") || strings.HasPrefix(name, "If-") || name == "Range" || name == "Transfer-Encoding" || name == uploads.Header
}

// pointed is the string or whole number at a JSON pointer.
// https://datatracker.ietf.org/doc/html/rfc6901
func pointed(data []byte, pointer string) (string, error) {
	var at any
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	if err := decoder.Decode(&at); err != nil {
		return "", errors.New("it is no JSON")
	}
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch of := at.(type) {
		case map[string]any:
			at = of[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(of) || step != strconv.Itoa(i) {
				return "", fmt.Errorf("there is no %q in a list", step)
			}
			at = of[i]
		default:
			return "", fmt.Errorf("there is no %q", step)
		}
	}
	switch id := at.(type) {
	case string:
		if id != "" {
			return id, nil
		}
	case json.Number:
		return id.String(), nil
	}
	return "", errors.New("what is there is no string and no number")
}

// unanswered is the error of an app that did not say who uploads.
type unanswered struct{ error }

func (u unanswered) Unwrap() error { return u.error }

// refuseUpload answers for a request that never reached the app.
func (inv *invocation) refuseUpload(ctx, appCtx context.Context, err error) error {
	var refusal *uploads.Refusal
	switch {
	case errors.As(err, &refusal):
		inv.log.Warn("an upload is refused", "status", refusal.Status, "path", inv.req.Path, "message", refusal.Message, "error", errors.Unwrap(refusal))
		return inv.answer(ctx, refusal.Status, refusal.Message)
	case errors.As(err, new(unanswered)), errors.Is(context.Cause(appCtx), errCut):
		return inv.noAnswer(ctx, appCtx, err)
	}
	inv.log.Error("an upload failed at S3", "path", inv.req.Path, "error", err)
	return inv.answer(ctx, http.StatusBadGateway, "S3 did not do what this upload needs. Send the file again.")
}
