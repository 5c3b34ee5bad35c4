package sigv4

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
)

// Guard lets requests to a service ("s3", "ssm", "lambda") through that are signed by
// one of the keys, and answers others as the service does. Of a body that the
// signature covers it reads limit bytes at most, and refuses more with 413; bodies
// for S3 it does not read.
func Guard(next http.Handler, service string, keys []Key, limit int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := Verify(r, service, keys, func() ([]byte, error) {
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
		refused.answer(w, r, service)
	})
}

// Refusal is why a request is not served. Its codes are those of AWS.
type Refusal struct {
	fault   fault
	Message string
}

func (e *Refusal) Error() string { return e.fault.code + ": " + e.Message }

// fault is a kind of refusal: the status and the code of most services, and S3's.
type fault struct {
	status   int
	code     string
	s3Status int
	s3       string
}

var (
	missing    = fault{403, "MissingAuthenticationTokenException", 403, "AccessDenied"}
	malformed  = fault{400, "IncompleteSignatureException", 400, "AuthorizationQueryParametersError"}
	unknownKey = fault{403, "UnrecognizedClientException", 403, "InvalidAccessKeyId"}
	badToken   = fault{403, "UnrecognizedClientException", 400, "InvalidToken"}
	mismatch   = fault{403, "InvalidSignatureException", 403, "SignatureDoesNotMatch"}
	expired    = fault{403, "InvalidSignatureException", 403, "AccessDenied"}
	skewed     = fault{403, "InvalidSignatureException", 403, "RequestTimeTooSkewed"}
	tooLarge   = fault{413, "RequestTooLargeException", 400, "EntityTooLarge"}
	broken     = fault{400, "InvalidRequestContentException", 400, "IncompleteBody"}
)

func refusal(f fault, message string) *Refusal { return &Refusal{f, message} }

func (e *Refusal) answer(w http.ResponseWriter, r *http.Request, service string) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if e.fault == tooLarge || e.fault == broken {
		h.Set("Connection", "close")
	}
	if service == "s3" {
		h.Set("Content-Type", "application/xml")
		w.WriteHeader(e.fault.s3Status)
		if r.Method != http.MethodHead {
			doc, _ := xml.Marshal(struct {
				XMLName xml.Name `xml:"Error"`
				Code    string
				Message string
			}{Code: e.fault.s3, Message: e.Message})
			_, _ = w.Write(doc) // a client that has left needs no error
		}
		return
	}
	h.Set("Content-Type", "application/x-amz-json-1.1")
	h.Set("X-Amzn-Errortype", e.fault.code)
	w.WriteHeader(e.fault.status)
	_ = json.NewEncoder(w).Encode(struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{e.fault.code, e.Message})
}
