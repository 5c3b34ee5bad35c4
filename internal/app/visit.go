package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/probe"
)

// Visit is a site as it is seen from outside, by a client that follows no redirects.
// A request that was made before is not made again, however many presets look at the
// site. It is for one goroutine.
type Visit struct {
	url    string
	client *http.Client
	seen   map[string]Answer
}

// Answer is what a site said. Without a status there was none: it could not be reached.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // its first megabyte
	Late   bool   // there was none in time
}

// VisitLimit is how long one request of a Visit may take, which can be the first of a
// cold environment.
const VisitLimit = 30 * time.Second

const (
	visitBody = 1 << 20
)

// NewVisit visits the site at a URL.
func NewVisit(url string) *Visit {
	return &Visit{url: strings.TrimSuffix(url, "/"), seen: map[string]Answer{}, client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Get asks for a path.
func (v *Visit) Get(ctx context.Context, path string) Answer {
	return v.Ask(ctx, http.MethodGet, path, "", nil)
}

// Ask sends a body of JSON, unless it is empty, with further header fields.
func (v *Visit) Ask(ctx context.Context, method, path, body string, header http.Header) Answer {
	key := fmt.Sprint(method, " ", path, " ", body, header)
	if answer, ok := v.seen[key]; ok {
		return answer
	}
	answer := v.ask(ctx, method, path, body, header)
	v.seen[key] = answer
	return answer
}

func (v *Visit) ask(ctx context.Context, method, path, body string, header http.Header) Answer {
	ctx, cancel := context.WithTimeout(ctx, VisitLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, v.url+path, strings.NewReader(body))
	if err != nil {
		return Answer{}
	}
	request.Header.Set("User-Agent", probe.UserAgent)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := v.client.Do(request)
	if err != nil {
		return Answer{Late: errors.Is(err, context.DeadlineExceeded)}
	}
	defer response.Body.Close()
	data, _ := io.ReadAll(io.LimitReader(response.Body, visitBody)) // a part of an answer tells as much
	return Answer{Status: response.StatusCode, Header: response.Header, Body: data}
}

// IsHTML reports whether the answer is a page.
func (a Answer) IsHTML() bool {
	return strings.HasPrefix(strings.ToLower(a.Header.Get("Content-Type")), "text/html") || bytes.HasPrefix(bytes.ToLower(bytes.TrimSpace(a.Body)), []byte("<!doctype html"))
}

// Check returns an error for a URL that cannot be a site's.
func (v *Visit) Check() error {
	u, err := url.Parse(v.url)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return errors.New("not an http or https URL")
	}
	return nil
}
