package runtimeapi

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

const (
	errorTypeTrailer = "Lambda-Runtime-Function-Error-Type"
	errorBodyTrailer = "Lambda-Runtime-Function-Error-Body"
)

// Respond answers an invocation with a whole payload, at most 6 MB.
func (c *Client) Respond(ctx context.Context, id, contentType string, payload []byte) error {
	req, err := c.request(ctx, http.MethodPost, "invocation/"+id+"/response", bytes.NewReader(payload))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contentType)
	if err := c.accepted(req); err != nil {
		return fmt.Errorf("answer invocation %s: %w", id, err)
	}
	return nil
}

// Stream answers an invocation with what body yields: each Read is sent as it returns. A body that fails with an
// error other than io.EOF ends the response with Lambda's error trailers, of the type that errors.As finds as *Failure.
// The body is read from the calling goroutine only.
func (c *Client) Stream(ctx context.Context, id, contentType string, body io.Reader) error {
	capture := &failureCapture{body: body, trailer: http.Header{}}
	err := c.exchange(ctx, post, func(w *wire) error {
		c.begin(w, http.MethodPost, "invocation/"+id+"/response")
		fmt.Fprintf(w.w, "Content-Type: %s\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n", contentType)
		fmt.Fprintf(w.w, "Transfer-Encoding: chunked\r\nTrailer: %s, %s\r\n\r\n", errorTypeTrailer, errorBodyTrailer)
		return w.writeChunks(capture, capture.trailer)
	}, wantAccepted)
	if err != nil {
		return fmt.Errorf("stream the answer of invocation %s: %w", id, err)
	}
	return nil
}

// Error makes a Failure an error that a body may return.
func (f *Failure) Error() string { return f.Type + ": " + f.Message }

// failureCapture turns the body's error into trailers.
type failureCapture struct {
	body    io.Reader
	trailer http.Header
}

func (c *failureCapture) Read(p []byte) (int, error) {
	n, err := c.body.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	f := &Failure{Type: "Sluice.StreamBroken", Message: err.Error()}
	errors.As(err, &f)
	detail, _ := json.Marshal(map[string]string{"errorType": f.Type, "errorMessage": f.Message})
	c.trailer.Set(errorTypeTrailer, f.Type)
	c.trailer.Set(errorBodyTrailer, base64.StdEncoding.EncodeToString(detail))
	return n, io.EOF
}
