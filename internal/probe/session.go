package probe

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
	"github.com/aproorg/sluice/internal/probe/stream"
)

// maxBody bounds what is read of an answer that is kept in memory.
const maxBody = 32 << 20

// session is one visitor: cookies, variables, and what earlier checks saw.
type session struct {
	base   *url.URL
	d      description.Description
	o      Options
	client *http.Client
	vars   map[string]string

	index   []byte            // index.html, once seen
	policy  string            // its Content-Security-Policy
	silence *stream.Recording // the stream with a silence, once read
	first   *timings          // of the first request to the API, which may have met a cold start
	apiHead http.Header       // the head of that answer
	silent  string            // the call of the conversation that failed
}

func newSession(base *url.URL, d description.Description, o Options) *session {
	jar, _ := cookiejar.New(nil) // fails only for options
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true // bodies are compared as they come
	t.TLSClientConfig = &tls.Config{RootCAs: o.RootCAs}
	t.MaxIdleConnsPerHost = 4
	s := &session{base: base, d: d, o: o, vars: map[string]string{
		"silence_ms":  strconv.FormatInt(o.Silence.Milliseconds(), 10),
		"late_ms":     strconv.FormatInt(o.Late.Milliseconds(), 10),
		"interval_ms": strconv.FormatInt(o.Interval.Milliseconds(), 10),
		"events":      strconv.Itoa(o.Events),
	}}
	maps.Copy(s.vars, o.Vars)
	s.client = &http.Client{Transport: t, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return s
}

// timings of one request, as this side sees them. A reused connection has no DNS, connect or TLS.
type timings struct {
	began                   time.Time
	dns, connect, tls       time.Duration
	head                    time.Duration // to the end of the response's headers
	dnsAt, connectAt, tlsAt time.Time
}

// tracer takes the timings of one request. A connection may still be dialed for it
// when it has been served by another, so what is taken then comes too late.
type tracer struct {
	mu sync.Mutex
	timings
}

func (t *tracer) trace() *httptrace.ClientTrace {
	note := func(take func()) {
		t.mu.Lock()
		defer t.mu.Unlock()
		take()
	}
	return &httptrace.ClientTrace{
		DNSStart:          func(httptrace.DNSStartInfo) { note(func() { t.dnsAt = time.Now() }) },
		DNSDone:           func(httptrace.DNSDoneInfo) { note(func() { t.dns = time.Since(t.dnsAt) }) },
		ConnectStart:      func(string, string) { note(func() { t.connectAt = time.Now() }) },
		ConnectDone:       func(_, _ string, err error) { note(func() { t.connect = time.Since(t.connectAt) }) },
		TLSHandshakeStart: func() { note(func() { t.tlsAt = time.Now() }) },
		TLSHandshakeDone:  func(tls.ConnectionState, error) { note(func() { t.tls = time.Since(t.tlsAt) }) },
	}
}

// end is what was taken of a request that began then and has its headers now.
func (t *tracer) end(began time.Time) *timings {
	t.mu.Lock()
	defer t.mu.Unlock()
	taken := t.timings
	taken.began, taken.head = began, time.Since(began)
	return &taken
}

// answer is a response that was read to its end.
type answer struct {
	*http.Response
	body []byte
	timings
}

var variable = regexp.MustCompile(`\$\{([A-Za-z0-9_]+)\}`)

// expand fills in variables. One without a value is an error: the check cannot be made.
func (s *session) expand(text string) (string, error) {
	var missing []string
	out := variable.ReplaceAllStringFunc(text, func(m string) string {
		name := m[2 : len(m)-1]
		if name == "random" {
			var b [8]byte
			rand.Read(b[:])
			return hex.EncodeToString(b[:])
		}
		v, ok := s.vars[name]
		if !ok {
			missing = append(missing, name)
		}
		return v
	})
	if len(missing) > 0 {
		return "", report.Skipped("it needs a value for " + strings.Join(missing, ", "))
	}
	return out, nil
}

// send makes a request and returns the response with its body unread. body, if set, replaces the description's.
func (s *session) send(ctx context.Context, r description.Request, body io.Reader, size int64) (*http.Response, *timings, error) {
	path, err := s.expand(r.Path)
	if err != nil {
		return nil, nil, err
	}
	method := r.Method
	if r.Body != "" {
		text, err := s.expand(r.Body)
		if err != nil {
			return nil, nil, err
		}
		body, size = strings.NewReader(text), int64(len(text))
	}
	if method == "" && body != nil {
		method = "POST"
	}
	t := &tracer{}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, t.trace()), method, s.url(path), body)
	if err != nil {
		return nil, nil, err
	}
	req.ContentLength = size
	if err := s.setHeader(req, r, body != nil); err != nil {
		return nil, nil, err
	}
	began := time.Now()
	res, err := s.client.Do(req)
	taken := t.end(began)
	if err != nil {
		return nil, taken, explain(ctx, req.Method, r.Path, err)
	}
	return res, taken, nil
}

// explain names the request and the limit that ended it. The path is the description's: a variable may be a secret.
func explain(ctx context.Context, method, path string, err error) error {
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return report.Failed("is it running, and is this its address?", "%s %s: %v", method, path, err)
}

// url is where a path of the app is, or one that is Sluice's own and not below the base URL's path.
func (s *session) url(path string) string {
	if path == ticketPath {
		return s.origin() + path
	}
	return strings.TrimSuffix(s.base.String(), "/") + path
}

func (s *session) setHeader(req *http.Request, r description.Request, hasBody bool) error {
	req.Header.Set("User-Agent", s.o.UserAgent)
	req.Header.Set("Accept", "application/json, text/event-stream, text/html;q=0.9, */*;q=0.8")
	if hasBody {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, v := range r.Header {
		v, err := s.expand(v)
		if err != nil {
			return err
		}
		if v == "" {
			req.Header.Del(name)
			continue
		}
		req.Header.Set(name, v)
	}
	return nil
}

// origin is the base URL's, as a browser writes it.
func (s *session) origin() string { return s.base.Scheme + "://" + s.base.Host }

// get makes a request and reads the whole answer.
func (s *session) get(ctx context.Context, r description.Request) (answer, error) {
	return s.getBody(ctx, r, nil, 0)
}

func (s *session) getBody(ctx context.Context, r description.Request, body io.Reader, size int64) (answer, error) {
	res, t, err := s.send(ctx, r, body, size)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return answer{}, report.Failed("a hop broke the response off", "%s %s: the body ended after %d bytes: %v", res.Request.Method, r.Path, len(data), err)
	}
	a := answer{res, data, *t}
	return a, s.capture(r, a)
}

// capture takes variables from a JSON answer.
func (s *session) capture(r description.Request, a answer) error {
	for name, field := range r.Capture {
		v, ok := description.Field(a.body, field)
		if !ok {
			return report.Failed("is the description right for this release of the app?", "%s: the answer (%d) has no field %q", r.Path, a.StatusCode, field)
		}
		s.vars[name] = v
	}
	return nil
}

func (a answer) isHTML() bool {
	return strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") || bytes.HasPrefix(bytes.TrimSpace(a.body), []byte("<!"))
}

// absent is the reason of a check that the app offers no path for.
func (s *session) absent(what string) error {
	return report.Skipped(fmt.Sprintf("the description of %q names no %s", s.d.App, what))
}
