// Package badhop is a reverse proxy with one fault, of those that real proxies and CDN settings have: what sluice verify
// is there to find. Its command puts one in front of anything:
//
//	go run ./internal/probe/badhop/serve -to http://127.0.0.1:8080 -fault buffer
//
// It leaves out all faults of timing but buffering, and is for tests and demonstrations only.
package badhop

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"github.com/aproorg/sluice/internal/bounded"
)

// Faults by name: buffer collects a response before it sends any of it; truncate ends each response that is no JSON
// after 400 bytes, as if that were all; mask turns each error into 200 with a page, as a custom error response for a
// single-page app does.
var Faults = map[string]func(*http.Response) error{"buffer": buffer, "truncate": truncate, "mask": mask}

// New forwards to an http or https URL with the fault of that name.
func New(to, fault string) (http.Handler, error) {
	target, err := url.Parse(to)
	if err != nil || target.Host == "" {
		return nil, fmt.Errorf("forward to %q: not a URL", to)
	}
	spoil, ok := Faults[fault]
	if !ok {
		return nil, fmt.Errorf("fault %q: want buffer, truncate or mask", fault)
	}
	return &httputil.ReverseProxy{
		Rewrite:        func(p *httputil.ProxyRequest) { p.SetURL(target) },
		FlushInterval:  -1,
		ModifyResponse: spoil,
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}, nil
}

// maxBuffered bounds what the bad hop collects.
const maxBuffered = 64 << 20

func buffer(res *http.Response) error {
	data, err := bounded.ReadAll(res.Body, maxBuffered)
	res.Body = io.NopCloser(bytes.NewReader(data))
	return err
}

const cut = 400

func truncate(res *http.Response) error {
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") || !strings.HasPrefix(res.Request.URL.Path, "/api/") {
		return nil
	}
	res.Header.Del("Content-Length")
	res.ContentLength = -1
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(res.Body, cut), res.Body}
	return nil
}

func mask(res *http.Response) error {
	if res.StatusCode < 400 {
		return nil
	}
	res.StatusCode, res.Status = http.StatusOK, "200 OK"
	res.Header.Set("Content-Type", "text/html")
	res.Header.Del("Content-Length")
	res.ContentLength = -1
	res.Body.Close()
	res.Body = io.NopCloser(strings.NewReader("<!doctype html><title>index</title>"))
	return nil
}
