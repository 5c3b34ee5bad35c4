package sigv4

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// Guard lets requests to a service ("ssm", "lambda") through that are signed by one of
// the keys, and answers others as the service does. It reads limit bytes of a body at
// most, and refuses more with 413. S3, whose bodies and errors are others, checks by
// [S3].
func Guard(next http.Handler, service string, keys []Key, limit int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := verify(r, service, keys, func() ([]byte, error) {
			b, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
			if err != nil {
				return nil, refusal(broken, "the request body broke off")
			}
			if int64(len(b)) > limit {
				return nil, refusal(tooLarge, "the request is larger than the service takes")
			}
			r.Body = io.NopCloser(bytes.NewReader(b))
			return b, nil
		})
		if err == nil {
			next.ServeHTTP(w, r)
			return
		}
		var refused *Refusal
		if !errors.As(err, &refused) {
			refused = refusal(broken, err.Error())
		}
		refused.answer(w)
	})
}

// Refusal is why a request is not served, in the words of AWS.
type Refusal struct {
	Status        int
	Code, Message string
	Fields        []string // what S3's document says besides: names and values in turn
}

func (e *Refusal) Error() string { return e.Code + ": " + e.Message }

func (e *Refusal) with(fields ...string) *Refusal {
	e.Fields = append(e.Fields, fields...)
	return e
}

// fault is a kind of refusal.
type fault struct {
	status int
	code   string
}

var (
	missing    = fault{403, "MissingAuthenticationTokenException"}
	malformed  = fault{400, "IncompleteSignatureException"}
	unknownKey = fault{403, "UnrecognizedClientException"}
	mismatch   = fault{403, "InvalidSignatureException"}
	tooLarge   = fault{413, "RequestTooLargeException"}
	broken     = fault{400, "InvalidRequestContentException"}
)

func refusal(f fault, message string) *Refusal {
	return &Refusal{Status: f.status, Code: f.code, Message: message}
}

func (e *Refusal) answer(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if e.Code == tooLarge.code || e.Code == broken.code {
		h.Set("Connection", "close")
	}
	h.Set("Content-Type", "application/x-amz-json-1.1")
	h.Set("X-Amzn-Errortype", e.Code)
	w.WriteHeader(e.Status)
	_ = json.NewEncoder(w).Encode(struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{e.Code, e.Message})
}
