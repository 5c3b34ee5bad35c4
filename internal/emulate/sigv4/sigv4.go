// Package sigv4 asks clients of emulated AWS services for what AWS asks them for: a
// signature (AWS Signature Version 4) by keys that only the rehearsal and its app
// know. It signs, too, as CloudFront's origin access control and API Gateway do.
//
// It models signatures in the Authorization header and in presigned URLs, session
// tokens, the 15 minutes of a signature's life and X-Amz-Expires, and those of the
// chunks and trailers of a body in aws-chunked encoding. It refuses what has no
// signature, another service's, or one by an unknown key. It leaves out policies (a
// known key may do everything), Signature Version 2 and 4A, and POST policies.
//
// Sources: IAM user guide, "Create a signed AWS API request"; Amazon S3 API
// reference, "Authenticating Requests (AWS Signature Version 4)".
package sigv4

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Key is a pair of keys; one with a token is temporary.
type Key struct{ ID, Secret, Token string }

// NewKey makes keys such as a user of IAM has.
func NewKey() Key {
	return Key{ID: "AKIA" + rand.Text()[:16], Secret: (rand.Text() + rand.Text())[:40]}
}

// NewTemporaryKey makes keys such as a role gives, with a session token.
func NewTemporaryKey() Key {
	k := NewKey()
	k.ID, k.Token = "ASIA"+k.ID[4:], rand.Text()+rand.Text()
	return k
}

// String shows which key it is, and nothing else of it.
func (k Key) String() string { return k.ID }

const (
	algorithm = "AWS4-HMAC-SHA256"
	dateForm  = "20060102T150405Z"
	unsigned  = "UNSIGNED-PAYLOAD"
	// skew is how far the time of a signature may be off.
	skew = 15 * time.Minute
)

// Sign puts a signature into the headers of a request whose URL and Host are set.
// payload is the body; S3 needs none and gets UNSIGNED-PAYLOAD.
func Sign(r *http.Request, k Key, service, region string, payload []byte) {
	r.Header.Set("X-Amz-Date", time.Now().UTC().Format(dateForm))
	hash := unsigned
	if service != "s3" {
		hash = digest(payload)
	}
	r.Header.Set("X-Amz-Content-Sha256", hash)
	headers := []string{"host", "x-amz-content-sha256", "x-amz-date"}
	if k.Token != "" {
		r.Header.Set("X-Amz-Security-Token", k.Token)
		headers = append(headers, "x-amz-security-token")
	}
	date := r.Header.Get("X-Amz-Date")
	s := signature{id: k.ID, date: date, day: date[:8], region: region, service: service, headers: headers}
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	value := s.of(s.canonical(r, host, hash), k.Secret)
	r.Header.Set("Authorization", algorithm+" Credential="+k.ID+"/"+s.scope()+", SignedHeaders="+strings.Join(headers, ";")+", Signature="+value)
}

// signature is what a request says of its own.
type signature struct {
	id, day, region, service string
	date                     string // X-Amz-Date
	headers                  []string
	value                    string
	expires                  time.Duration // of a presigned URL
	presigned                bool
	token                    string
}

// read finds the signature of a request, in its URL or in its headers.
func read(r *http.Request) (signature, *Refusal) {
	q := r.URL.Query()
	if q.Has("X-Amz-Signature") || q.Has("X-Amz-Algorithm") {
		seconds, err := strconv.Atoi(q.Get("X-Amz-Expires"))
		s := signature{date: q.Get("X-Amz-Date"), headers: strings.Split(q.Get("X-Amz-SignedHeaders"), ";"), value: q.Get("X-Amz-Signature"),
			presigned: true, token: q.Get("X-Amz-Security-Token"), expires: time.Duration(seconds) * time.Second}
		if q.Get("X-Amz-Algorithm") != algorithm || !s.credential(q.Get("X-Amz-Credential")) || err != nil || seconds < 0 || seconds > maxExpires {
			return s, refusal(malformed, "the query has no signature of "+algorithm)
		}
		return s, nil
	}
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), algorithm)
	if !ok {
		return signature{}, refusal(missing, "the request is not signed")
	}
	s, credential, _ := fromHeaders(r, rest)
	if !s.credential(credential) || s.value == "" {
		return s, refusal(malformed, "the Authorization header has no credential or signature")
	}
	return s, nil
}

// fromHeaders reads what follows the algorithm in the Authorization header, and counts
// the components that are there of the three that belong there.
func fromHeaders(r *http.Request, rest string) (s signature, credential string, components int) {
	s = signature{date: r.Header.Get("X-Amz-Date"), token: r.Header.Get("X-Amz-Security-Token")}
	for field := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Credential":
			credential = value
		case "SignedHeaders":
			s.headers = strings.Split(value, ";")
		case "Signature":
			s.value = value
		default:
			continue
		}
		components++
	}
	return s, credential, components
}

// credential reads KEY/DAY/REGION/SERVICE/aws4_request.
func (s *signature) credential(text string) bool {
	parts := strings.Split(text, "/")
	if len(parts) != 5 || parts[4] != "aws4_request" {
		return false
	}
	s.id, s.day, s.region, s.service = parts[0], parts[1], parts[2], parts[3]
	return true
}

// verify reports why a service other than S3 would refuse a request, or nil. It reads
// the body through body, for the signature covers it.
func verify(r *http.Request, service string, keys []Key, body func() ([]byte, error)) error {
	s, refused := read(r)
	if refused != nil {
		return refused
	}
	i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == s.id })
	switch {
	case i < 0:
		return refusal(unknownKey, "the access key is none of this rehearsal")
	case keys[i].Token != s.token && !equal(keys[i].Token, s.token):
		return refusal(unknownKey, "the session token does not belong to the access key")
	case s.service != service:
		return refusal(mismatch, "the request is signed for the service "+strconv.Quote(s.service)+", not "+service)
	case !slices.Contains(s.headers, "host"):
		return refusal(mismatch, "the signature does not cover the host")
	}
	if refused := s.timely(time.Now()); refused != nil {
		return refused
	}
	hash, err := s.payload(r, body)
	if err != nil {
		return err
	}
	if !equal(s.of(s.canonical(r, r.Host, hash), keys[i].Secret), s.value) {
		return refusal(mismatch, "the signature does not match: check the secret access key")
	}
	return nil
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func (s *signature) timely(now time.Time) *Refusal {
	at, err := time.Parse(dateForm, s.date)
	switch {
	case err != nil || !strings.HasPrefix(s.date, s.day):
		return refusal(malformed, "X-Amz-Date is not the day of the credential")
	case s.presigned && now.After(at.Add(s.expires)):
		return refusal(mismatch, "Request has expired")
	case at.After(now.Add(skew)), !s.presigned && now.After(at.Add(skew)):
		return refusal(mismatch, "the time of the signature is off by more than 15 minutes")
	}
	return nil
}

// payload is the digest of the body that the signature covers.
func (s *signature) payload(r *http.Request, body func() ([]byte, error)) (string, error) {
	b, err := body()
	if err != nil {
		return "", err
	}
	hash := digest(b)
	if said := r.Header.Get("X-Amz-Content-Sha256"); said != "" && said != hash {
		return "", refusal(mismatch, "the body does not have the digest of X-Amz-Content-Sha256")
	}
	return hash, nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (s *signature) scope() string {
	return s.day + "/" + s.region + "/" + s.service + "/aws4_request"
}

// of computes the signature of a canonical request.
func (s *signature) of(canonical, secret string) string {
	return signText(s.signingKey(secret), s.toSign(canonical))
}

// toSign is the text that is signed for a canonical request.
func (s *signature) toSign(canonical string) string {
	return algorithm + "\n" + s.date + "\n" + s.scope() + "\n" + digest([]byte(canonical))
}

// signingKey derives the key of a day, region and service from the secret.
func (s *signature) signingKey(secret string) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{s.day, s.region, s.service, "aws4_request"} {
		key = authenticate(key, part)
	}
	return key
}

func authenticate(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func signText(key []byte, text string) string { return hex.EncodeToString(authenticate(key, text)) }

// canonical is the request in the one form that both sides sign.
func (s *signature) canonical(r *http.Request, host, payload string) string {
	var b strings.Builder
	path := r.URL.EscapedPath()
	if s.service == "s3" {
		path = unescape(path) // S3 encodes the path once, other services what was encoded already
	}
	if path == "" {
		path = "/"
	}
	b.WriteString(r.Method + "\n" + encode(path, "/") + "\n" + canonicalQuery(r.URL.RawQuery) + "\n")
	for _, name := range s.headers {
		b.WriteString(name + ":" + header(r, name, host) + "\n")
	}
	b.WriteString("\n" + strings.Join(s.headers, ";") + "\n" + payload)
	return b.String()
}

func header(r *http.Request, name, host string) string {
	values := r.Header.Values(name)
	switch {
	case name == "host":
		values = []string{host}
	case name == "content-length" && len(values) == 0:
		values = []string{strconv.FormatInt(r.ContentLength, 10)}
	case name == "transfer-encoding" && len(values) == 0:
		values = r.TransferEncoding
	}
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(trimmed, ",")
}

func canonicalQuery(raw string) string {
	var pairs []string
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name == "" && value == "" || name == "X-Amz-Signature" {
			continue
		}
		pairs = append(pairs, encode(unescape(name), "")+"="+encode(unescape(value), ""))
	}
	slices.SortFunc(pairs, func(a, b string) int {
		an, av, _ := strings.Cut(a, "=")
		bn, bv, _ := strings.Cut(b, "=")
		if c := strings.Compare(an, bn); c != 0 {
			return c
		}
		return strings.Compare(av, bv)
	})
	return strings.Join(pairs, "&")
}

// encode writes every byte but the unreserved ones of RFC 3986, and those in keep, as %XX.
func encode(s, keep string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~"+keep, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + digits[c>>4:c>>4+1] + digits[c&15:c&15+1])
		}
	}
	return b.String()
}

// unescape decodes what is encoded, and leaves a text that is not as it is.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				b.WriteByte(c[0])
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
