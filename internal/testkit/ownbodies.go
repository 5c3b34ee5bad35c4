package testkit

import (
	"bytes"
	"io"
	"net/http"
)

// OwnBodies is an HTTP client for the AWS SDK that sends requests with a body nobody
// else closes. The SDK closes the one that it gave once the answer begins, which on a
// loopback address can be before net/http has looked for its end; then it gives up
// the connection.
type OwnBodies struct{}

// Do sends a request.
func (OwnBodies) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		return http.DefaultClient.Do(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultClient.Do(r)
}
