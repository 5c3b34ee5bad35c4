package uploads

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Header brings the ticket with the request that has no body.
//
// In a ticket's place it can hold Lost, where the body did not get to S3, or a Wish in JSON that was refused: the request's own answer
// then says why.
const Header = "Sluice-Upload"

// Lost in Header is a body that did not get to S3.
const Lost = "lost"

// Ticket is the right to send one request whose body lies in S3.
type Ticket struct {
	Method string `json:"m"`
	// URI is the request's path and query, in the spelling of Canonical.
	URI    string `json:"u"`
	Type   string `json:"t"` // Content-Type of the body; may be empty
	Size   int64  `json:"s"` // of the body, in bytes
	Object string `json:"o"` // S3 key
	// Upload is S3's id of a multipart upload that is not complete yet; empty for a body in one piece.
	Upload  string `json:"i,omitempty"`
	Expires int64  `json:"e"` // Unix time, in seconds
	User    string `json:"n"`
}

// Key seals tickets and opens them.
type Key struct{ key []byte }

// NewKey derives a key from a secret that all environments of the function have.
func NewKey(secret string) (Key, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "sluice upload ticket 1", sha256.Size)
	if err != nil {
		return Key{}, fmt.Errorf("derive the key of upload tickets: %w", err)
	}
	return Key{key}, nil
}

// maxTicket bounds what is looked at of a ticket, in bytes: API Gateway takes heads of 10,240.
const maxTicket = 6 << 10

var encoding = base64.RawURLEncoding.Strict()

// Seal writes a ticket as it stands in Header: two parts in base64url, divided by a dot.
func (k Key) Seal(t Ticket) (string, error) {
	data, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("write an upload ticket: %w", err)
	}
	body := encoding.EncodeToString(data)
	return body + "." + encoding.EncodeToString(k.sum(body)), nil
}

func (k Key) sum(body string) []byte {
	h := hmac.New(sha256.New, k.key)
	h.Write([]byte(body))
	return h.Sum(nil)
}

var (
	errForged  = errors.New("it was not made here, or was altered")
	errExpired = errors.New("it has expired")
)

// open reads a ticket that this key has sealed, unless it has expired. What it was made for is not looked at.
func (k Key) open(text string, now time.Time) (Ticket, error) {
	if len(text) > maxTicket || strings.ContainsAny(text, "\r\n") { // which base64 would skip
		return Ticket{}, errForged
	}
	body, sum, _ := strings.Cut(text, ".")
	given, err := encoding.DecodeString(sum)
	if err != nil || !hmac.Equal(given, k.sum(body)) {
		return Ticket{}, errForged
	}
	data, err := encoding.DecodeString(body)
	if err != nil {
		return Ticket{}, errForged
	}
	var t Ticket
	if err := json.Unmarshal(data, &t); err != nil {
		return Ticket{}, errForged
	}
	if now.Unix() >= t.Expires {
		return Ticket{}, errExpired
	}
	return t, nil
}

// Canonical is a path and query in one spelling: gateways decode and encode what a client has written. It fails for what is no
// path of this origin.
func Canonical(uri string) (string, error) {
	if !strings.HasPrefix(uri, "/") || strings.HasPrefix(uri, "//") || strings.ContainsAny(uri, "\\#") {
		return "", errors.New("it must be a path of this site, such as /api/files")
	}
	u, err := url.ParseRequestURI(uri)
	if err != nil || u.Host != "" {
		return "", errors.New("it must be a path of this site, such as /api/files")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", errors.New("its query cannot be read")
	}
	var path strings.Builder
	for segment := range strings.SplitSeq(u.EscapedPath()[1:], "/") { // %2F divides nothing
		plain, err := url.PathUnescape(segment)
		if err != nil {
			return "", errors.New("its path cannot be read")
		}
		path.WriteString("/" + url.PathEscape(plain))
	}
	if len(query) == 0 {
		return path.String(), nil
	}
	return path.String() + "?" + query.Encode(), nil
}
