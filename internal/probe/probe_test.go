package probe_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/demo"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/probe"
	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
	"github.com/google/go-cmp/cmp"
)

// app is the demo app and its site in one ordinary server.
func app(t *testing.T) http.Handler {
	t.Helper()
	api, err := demo.New(demo.Config{Environment: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	return demo.Standalone(demo.Site(), api)
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL
}

// short is a run of a few seconds that leaves no check out, but heartbeats.
func short() probe.Options {
	return probe.Options{Silence: 400 * time.Millisecond, Late: 200 * time.Millisecond, Events: 15, Interval: 30 * time.Millisecond, Timeout: 15 * time.Second}
}

func verify(t *testing.T, base string, d description.Description, o probe.Options) report.Report {
	t.Helper()
	r, err := probe.Run(t.Context(), base, d, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func named(r report.Report, status report.Status) (names []string) {
	for _, x := range r.Results {
		if x.Status == status {
			names = append(names, x.Name)
		}
	}
	return names
}

func result(t *testing.T, r report.Report, name string) report.Result {
	t.Helper()
	i := slices.IndexFunc(r.Results, func(x report.Result) bool { return x.Name == name })
	if i < 0 {
		t.Fatalf("no check is called %q", name)
	}
	return r.Results[i]
}

func TestAllGreenAgainstAnOrdinaryServer(t *testing.T) {
	t.Parallel()
	o := short()
	o.Environments = 3
	var began, ended []string
	o.Progress = func(x report.Result, done bool) {
		if done {
			ended = append(ended, x.Name)
		} else {
			began = append(began, x.Name)
		}
	}
	r := verify(t, serve(t, app(t)), demo.Description(), o)
	if !r.OK() {
		var table bytes.Buffer
		r.WriteTable(&table)
		t.Fatalf("not green:\n%s", table.String())
	}
	if diff := cmp.Diff([]string{"TLS", "20 MB by way of S3", "heartbeats"}, named(r, report.Skip)); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	if len(began) != len(r.Results) || !slices.Equal(began, ended) {
		t.Errorf("progress told of %v and %v", began, ended)
	}
	n := result(t, r, "stream cadence").Numbers
	if n["events"] != 16 || n["largestBatchEvents"] > 3 || n["writtenMs"] < 400 || n["arrivedMs"] < 300 {
		t.Errorf("cadence: %v", n)
	}
}

func TestGreenOverTLS(t *testing.T) {
	t.Parallel()
	h := app(t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		h.ServeHTTP(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of the handshakes that are to fail
	s.StartTLS()
	t.Cleanup(s.Close)
	o := short()
	o.RootCAs = x509.NewCertPool()
	o.RootCAs.AddCert(s.Certificate())
	r := verify(t, s.URL, demo.Description(), o)
	if !r.OK() || result(t, r, "TLS").Status != report.Pass {
		t.Errorf("failed: %v, TLS: %+v", named(r, report.Fail), result(t, r, "TLS"))
	}
	o.RootCAs = nil
	if r := verify(t, s.URL, description.Description{Site: &description.Site{}}, o); r.OK() || !strings.Contains(result(t, r, "TLS").Detail, "certificate") {
		t.Errorf("an unknown authority passes: %+v", result(t, r, "TLS"))
	}
}

// proxy forwards to the app and lets a test spoil each response. It flushes as an honest proxy does.
func proxy(t *testing.T, spoil func(*http.Response) error) http.Handler {
	t.Helper()
	target, err := url.Parse(serve(t, app(t)))
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{
		Rewrite:        func(p *httputil.ProxyRequest) { p.SetURL(target) },
		FlushInterval:  -1,
		ModifyResponse: spoil,
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
}

func body(res *http.Response, change func([]byte) []byte) error {
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	res.Body = io.NopCloser(bytes.NewReader(change(data)))
	return nil
}

func isAPI(res *http.Response) bool { return strings.HasPrefix(res.Request.URL.Path, "/api/") }

func page(res *http.Response) error {
	res.StatusCode, res.Status = 200, "200 OK"
	res.Header.Set("Content-Type", "text/html")
	res.Header.Del("Content-Length")
	return body(res, func([]byte) []byte { return []byte("<!doctype html><title>index</title>") })
}

// spoilers are hops with one fault each, the checks that must find it, and a part of the reason and of the hint.
var spoilers = []struct {
	name, why, hint string
	failing         []string
	spoil           func(*http.Response) error
}{
	{"buffers", "buffered", "response transfer mode", []string{"stream cadence", "silence"}, func(res *http.Response) error {
		return body(res, func(b []byte) []byte { return b })
	}},
	{"truncates at 400 bytes", "without its last one", "truncates", []string{"large body", "stream cadence"}, func(res *http.Response) error {
		if !isAPI(res) || res.Header.Get("Content-Type") == "application/json" {
			return nil
		}
		res.Header.Del("Content-Length")
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, 400), res.Body}
		return nil
	}},
	{"masks errors", "must get 404 and got 200 text/html", "custom error responses", []string{"API errors stay errors", "request of 7 MB"}, func(res *http.Response) error {
		if res.StatusCode >= 400 && isAPI(res) {
			return page(res)
		}
		return nil
	}},
	{"masks missing files", "does not exist and got 200", "without a file extension", []string{"missing file"}, func(res *http.Response) error {
		if res.StatusCode == 404 && !isAPI(res) {
			return page(res)
		}
		return nil
	}},
	{"joins cookies", "not probe_two", "header of its own", []string{"several cookies"}, func(res *http.Response) error {
		if all := res.Header.Values("Set-Cookie"); len(all) > 1 {
			res.Header.Set("Set-Cookie", strings.Join(all, ", "))
		}
		return nil
	}},
	{"reads bodies as text", "not the ones sent", "text or base64", []string{"binary body", "large body"}, func(res *http.Response) error {
		if kind := res.Header.Get("Content-Type"); kind != "application/octet-stream" && kind != "image/x-demo" {
			return nil
		}
		res.Header.Del("Content-Length")
		return body(res, func(b []byte) []byte { return bytes.ToValidUTF8(b, []byte("?")) })
	}},
	{"caches the API", "came from a cache", "CachingDisabled", []string{"API not cached"}, func(res *http.Response) error {
		if isAPI(res) {
			res.Header.Set("Age", "12")
		}
		return nil
	}},
	{"drops headers", "/ lacks X-Content-Type-Options", "67f7725c", []string{"cache: index.html", "cache: hashed assets", "security headers", "304", "redirect"}, func(res *http.Response) error {
		for _, name := range []string{"Cache-Control", "ETag", "X-Content-Type-Options", "Location"} {
			res.Header.Del(name)
		}
		return nil
	}},
	{"adds a body to 204", "got 200", "hang", []string{"204"}, func(res *http.Response) error {
		if res.StatusCode == 204 {
			res.StatusCode = 200
		}
		return nil
	}},
	{"has no SPA routes", "a reload there fails", "viewer-request", []string{"SPA routes"}, func(res *http.Response) error {
		if res.Request.URL.Path == "/about" {
			res.StatusCode = 403
		}
		return nil
	}},
}

func TestRedWithTheRightReason(t *testing.T) {
	for _, c := range spoilers {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // a run waits for the streams' own time, and does next to nothing else
			h := proxy(t, c.spoil)
			if c.name == "masks errors" { // and so it hides the limit of Lambda
				h = limit(h, 6<<20, http.StatusOK, "text/html")
			}
			d := demo.Description()
			d.Download = &description.Download{Request: description.Request{Path: "/api/download?bytes=2000000"}, Bytes: 2_000_000}
			r := verify(t, serve(t, h), d, short())
			if diff := cmp.Diff(c.failing, named(r, report.Fail)); diff != "" {
				for _, x := range r.Results {
					if x.Status == report.Fail {
						t.Logf("%s: %s", x.Name, x.Detail)
					}
				}
				t.Fatalf("failed checks (-want +got):\n%s", diff)
			}
			all := ""
			for _, x := range r.Results {
				if x.Status == report.Fail {
					all += x.Detail + " | " + x.Hint + "\n"
				}
			}
			if !strings.Contains(all, c.why) || !strings.Contains(all, c.hint) {
				t.Errorf("want the reason %q and the hint %q in:\n%s", c.why, c.hint, all)
			}
		})
	}
}

// limit answers requests above a size itself.
func limit(h http.Handler, bytes int64, status int, kind string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength <= bytes {
			h.ServeHTTP(w, r)
			return
		}
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		io.WriteString(w, `{"message":"Request Too Long"}`)
	})
}

func TestUploadLimits(t *testing.T) {
	t.Parallel()
	only := description.Description{App: "demo", Upload: demo.Description().Upload}
	for _, c := range []struct {
		name          string
		limit         int64
		status        int
		four, seven   report.Status
		sevenContains string
	}{
		{"no limit", 1 << 40, 0, report.Pass, report.Pass, "accepted"},
		{"Lambda's", 6 << 20, 413, report.Pass, report.Pass, "refused with 413"},
		{"a gateway that breaks", 6 << 20, 502, report.Pass, report.Fail, "7 MB got 502"},
		{"a small one", 1 << 20, 413, report.Fail, report.Pass, "refused with 413"},
		{"one that lies", 6 << 20, 200, report.Pass, report.Fail, "of 7340032 bytes, the app got"},
	} {
		r := verify(t, serve(t, limit(app(t), c.limit, c.status, "application/json")), only, short())
		four, seven := result(t, r, "request of 4 MB"), result(t, r, "request of 7 MB")
		if four.Status != c.four || seven.Status != c.seven || !strings.Contains(seven.Detail, c.sevenContains) {
			t.Errorf("%s: 4 MB %s, 7 MB %s: %s", c.name, four.Status, seven.Status, seven.Detail)
		}
	}
}

func TestAStreamThatIsStartedFirst(t *testing.T) {
	t.Parallel()
	d := description.Description{
		App:   "demo",
		Login: demo.Description().Login,
		Stream: &description.Stream{
			Start: &description.Request{Path: "/api/chat/start", Body: `{"chat":"c${random}","text":"${question}","paceMs":15}`,
				Capture: map[string]string{"stream": "streamId"}},
			Request: description.Request{Path: "/api/chat/stream/${stream}"},
			Final:   `"final":true`,
		},
	}
	o := short()
	r := verify(t, serve(t, app(t)), d, o)
	if x := result(t, r, "stream cadence"); x.Status != report.Skip || !strings.Contains(x.Detail, "question") {
		t.Errorf("without a variable: %+v", x)
	}
	o.Vars = map[string]string{"question": "streaming?"}
	r = verify(t, serve(t, app(t)), d, o)
	if x := result(t, r, "stream cadence"); x.Status != report.Pass || x.Numbers["events"] < 50 {
		t.Errorf("with it: %+v", x)
	}
}

func TestAbsentPathsAreSkippedAloud(t *testing.T) {
	r := verify(t, serve(t, app(t)), description.Description{App: "other"}, short())
	for _, x := range r.Results {
		if x.Status != report.Skip || x.Detail == "" {
			t.Errorf("%s: %s %q", x.Name, x.Status, x.Detail)
		}
	}
}

func TestRunRefusesWhatItCannotCheck(t *testing.T) {
	for _, base := range []string{"", "ftp://x", "://", "example.com"} {
		if _, err := probe.Run(t.Context(), base, demo.Description(), probe.Options{}); err == nil {
			t.Errorf("%q is taken for a base URL", base)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := probe.Run(ctx, "http://127.0.0.1:1", demo.Description(), probe.Options{}); err == nil {
		t.Error("an ended context gives no error")
	}
}

func TestNobodyThereIsReportedOnce(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	r, err := probe.Run(t.Context(), "http://"+listener.Addr().String(), demo.Description(), probe.Options{Quick: true})
	if err == nil || !strings.Contains(err.Error(), "connection refused") || !strings.Contains(hint.Of(err), "is it running") || len(r.Results) != 0 {
		t.Errorf("%d results and %v", len(r.Results), err)
	}
}
