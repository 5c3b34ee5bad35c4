package response

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"

	"golang.org/x/net/http/httpguts"
)

// maxPrelude is how far the delimiter may end. AWS says 16 KB; the smaller reading
// is enforced.
const maxPrelude = 16000

var (
	delimiter       = make([]byte, 8) // eight NUL bytes
	errNoPrelude    = errors.New("response has no metadata, which the transfer mode STREAM wants of a function; BUFFERED takes an answer in one document")
	errBigPrelude   = fmt.Errorf("response metadata and delimiter exceed %d bytes", maxPrelude)
	errNoStatusCode = errors.New("response metadata has no statusCode")
)

// Head is what a function says of its response before the body.
type Head struct {
	Status int
	Header http.Header
}

// preludeParser finds metadata and delimiter in a stream of chunks cut anywhere.
type preludeParser struct {
	buf  []byte
	done bool
}

// feed takes one chunk. Until the delimiter has come it returns no metadata; with
// the chunk that completes it, the metadata and what of the chunk is body. It must
// not be called again after that.
func (p *preludeParser) feed(chunk []byte) (*Head, []byte, error) {
	from := max(0, len(p.buf)-len(delimiter)+1)
	p.buf = append(p.buf, chunk...)
	at := bytes.Index(p.buf[from:], delimiter)
	if at < 0 {
		if len(p.buf) >= maxPrelude {
			return nil, nil, errBigPrelude
		}
		return nil, nil, nil
	}
	at += from
	if at+len(delimiter) > maxPrelude {
		return nil, nil, errBigPrelude
	}
	m, err := parseMetadata(p.buf[:at])
	if err != nil {
		return nil, nil, err
	}
	p.done = true
	return m, p.buf[at+len(delimiter):], nil
}

// proxyResponse is both the metadata of a streamed response and the whole of a
// buffered one (developer guide, "Output format of a Lambda function for proxy
// integration" and "Response streaming").
type proxyResponse struct {
	StatusCode        *json.Number     `json:"statusCode"`
	Headers           map[string]any   `json:"headers"`
	MultiValueHeaders map[string][]any `json:"multiValueHeaders"`
	Cookies           []string         `json:"cookies"`
	Body              *string          `json:"body"`
	IsBase64Encoded   bool             `json:"isBase64Encoded"`
}

func parseMetadata(b []byte) (*Head, error) {
	r, err := parseProxyResponse(b)
	if err != nil {
		return nil, err
	}
	if r.Body != nil || r.IsBase64Encoded {
		return nil, errors.New("response metadata has a body of its own")
	}
	return r.head()
}

func parseProxyResponse(b []byte) (*proxyResponse, error) {
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, errNoPrelude
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	d.DisallowUnknownFields()
	var r *proxyResponse
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("response metadata: %w", err)
	}
	if r == nil || d.More() {
		return nil, errors.New("response metadata is not one JSON object")
	}
	return r, nil
}

// head merges the header maps; where both name a header the multi-value one
// stands.
func (r *proxyResponse) head() (*Head, error) {
	if r.StatusCode == nil {
		return nil, errNoStatusCode
	}
	status, err := strconv.Atoi(r.StatusCode.String())
	if err != nil || status < 200 || status > 599 {
		return nil, fmt.Errorf("response metadata: statusCode %s", r.StatusCode)
	}
	m := &Head{Status: status, Header: http.Header{}}
	for name, v := range r.Headers {
		if err := m.set(name, []any{v}); err != nil {
			return nil, err
		}
	}
	for name, vs := range r.MultiValueHeaders {
		if err := m.set(name, vs); err != nil {
			return nil, err
		}
	}
	for _, c := range r.Cookies {
		if err := m.add("Set-Cookie", c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *Head) set(name string, values []any) error {
	m.Header.Del(name)
	for _, v := range values {
		if err := m.add(name, v); err != nil {
			return err
		}
	}
	return nil
}

func (m *Head) add(name string, value any) error {
	var s string
	switch v := value.(type) {
	case string:
		s = v
	case json.Number:
		s = v.String()
	case bool:
		s = strconv.FormatBool(v)
	default:
		return fmt.Errorf("response metadata: header %q has a value of type %T", name, value)
	}
	if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(s) {
		return fmt.Errorf("response metadata: header %q cannot be sent", name)
	}
	name = textproto.CanonicalMIMEHeaderKey(name)
	m.Header[name] = append(m.Header[name], s)
	return nil
}
