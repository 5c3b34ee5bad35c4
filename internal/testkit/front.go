package testkit

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// HTTP2Front starts a server in front of another, which is what a browser of CloudFront
// sees: TLS, with HTTP/2 in it. With HTTP/1.1 a browser asks for six things at once at
// most. It returns the URL of the front, whose certificate nobody trusts; it ends with
// the test.
func HTTP2Front(t testing.TB, behind string) string {
	t.Helper()
	to, err := url.Parse(behind)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
	}
	server := httptest.NewUnstartedServer(proxy)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL
}
