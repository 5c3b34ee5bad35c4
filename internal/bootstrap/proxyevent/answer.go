package proxyevent

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// ContentType announces a body that begins with a prelude.
	ContentType = "application/vnd.awslambda.http-integration-response"
	// MaxPrelude bounds the metadata and its delimiter, in bytes. AWS says 16 KB and not which.
	MaxPrelude = 16_000
)

// ErrPreludeTooLarge means that the response's headers do not fit.
var ErrPreludeTooLarge = errors.New("status and headers of the response pass 16,000 bytes, which is the limit of the gateway")

var delimiter = make([]byte, 8)

type metadata struct {
	StatusCode        int                 `json:"statusCode"`
	StatusDescription string              `json:"statusDescription,omitempty"`
	Headers           map[string]string   `json:"headers,omitempty"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders,omitempty"`
	Cookies           []string            `json:"cookies,omitempty"`
}

// AppendPrelude appends the metadata of an answer and the 8 NUL bytes that end it. Hop-by-hop fields are left out.
func AppendPrelude(dst []byte, k Kind, status int, h http.Header) ([]byte, error) {
	m := newMetadata(k, status, h)
	head, err := encode(m)
	if err != nil {
		return dst, err
	}
	if len(head)+len(delimiter) > MaxPrelude {
		return dst, ErrPreludeTooLarge
	}
	return append(append(dst, head...), delimiter...), nil
}

// Buffered makes the answer for a sender that does not stream.
func Buffered(k Kind, status int, h http.Header, body []byte) ([]byte, error) {
	text := string(body)
	binary := h.Get("Content-Encoding") != "" || !utf8.Valid(body)
	if binary {
		text = base64.StdEncoding.EncodeToString(body)
	}
	return encode(struct {
		metadata
		Body   string `json:"body"`
		Base64 bool   `json:"isBase64Encoded"`
	}{newMetadata(k, status, h), text, binary})
}

// encode is json.Marshal without its escapes for HTML, each of which is six bytes for one: they count towards the gateways' limits.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

func newMetadata(k Kind, status int, h http.Header) metadata {
	removeHopByHop(h)
	m := metadata{StatusCode: status}
	switch k {
	case HTTPv2, FunctionURL:
		m.Headers, m.Cookies = single(h), unicodeValues(h["Set-Cookie"])
	case ALB:
		m.Headers = single(h)
		for i, cookie := range h["Set-Cookie"] {
			m.Headers[caseVariant("set-cookie", i)] = unicode(cookie)
		}
	default:
		m.MultiValueHeaders = make(map[string][]string, len(h))
		for name, values := range h {
			m.MultiValueHeaders[name] = unicodeValues(values)
		}
	}
	if k == ALB || k == ALBMulti {
		m.StatusDescription = strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
	}
	return m
}

// single joins repeated fields, except cookies, which cannot be joined.
func single(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for name, values := range h {
		if name != "Set-Cookie" {
			out[name] = unicode(strings.Join(values, ", "))
		}
	}
	return out
}

func unicodeValues(values []string) []string {
	out := slices.Clone(values)
	for i := range out {
		out[i] = unicode(out[i])
	}
	return out
}

// unicode reads a field value that is not UTF-8 as Latin-1, for JSON has no other bytes.
func unicode(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// caseVariant spells name in the n-th way, so that one JSON object can hold the field several times.
func caseVariant(name string, n int) string {
	out := []byte(name)
	for i, c := range out {
		if 'a' <= c && c <= 'z' {
			if n&1 == 1 {
				out[i] -= 'a' - 'A'
			}
			n >>= 1
		}
	}
	return string(out)
}
