package emulatetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// Web is a base URL under whose /api/ go-httpbin answers (its prefix is /api):
// a REST stage with a STREAM integration for ANY /api/{proxy+} and binary media
// types */*, or a distribution in front of one.
type Web struct {
	URL string
	// Asset is, behind a distribution, the path of a text/javascript file of at least
	// 1,000 bytes with a Cache-Control of an hour or more.
	Asset string
}

// APIGateway is what a client of a REST stage may rely on. Every case holds on AWS
// too, or the emulator is wrong.
func APIGateway(t *testing.T, w Web) {
	t.Run("ids", w.gatewayIDs)
	t.Run("remapped headers", w.remapped)
	t.Run("missing route", w.missingRoute)
	w.http(t)
}

// http is what passes every hop unchanged.
func (w Web) http(t *testing.T) {
	t.Run("request", w.request)
	t.Run("request limits", w.requestLimits)
	t.Run("statuses", w.statuses)
	t.Run("several cookies", w.cookies)
	t.Run("binary body", w.binary)
	t.Run("binary request", w.binaryRequest)
	t.Run("cadence", w.cadence)
	t.Run("content encoding", w.encoded)
	t.Run("error of the app", w.appError)
}

func (w Web) do(t *testing.T, method, path string, body io.Reader, headers ...string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v after %d bytes", method, path, err, len(b))
	}
	return res, b
}

func (w Web) gatewayIDs(t *testing.T) {
	res, _ := w.do(t, "GET", "/api/get", nil)
	for _, name := range []string{"X-Amzn-Requestid", "X-Amz-Apigw-Id", "X-Amzn-Trace-Id", "Date"} {
		if res.Header.Get(name) == "" {
			t.Errorf("%s is missing", name)
		}
	}
}

func (w Web) remapped(t *testing.T) {
	res, _ := w.do(t, "GET", "/api/response-headers?Server=mine&X-Own=1", nil)
	if res.Header.Get("X-Amzn-Remapped-Server") != "mine" || res.Header.Get("X-Own") != "1" {
		t.Errorf("%v", res.Header)
	}
}

func (w Web) missingRoute(t *testing.T) {
	res, body := w.do(t, "GET", "/no-such-resource", nil)
	if res.StatusCode != 403 || !bytes.Contains(body, []byte("Missing Authentication Token")) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

func (w Web) requestLimits(t *testing.T) {
	for size, want := range map[int]int{4 << 20: 200, 7 << 20: 413, 11 << 20: 413} { // base64 makes 5.6, 9.8 and 14 MB of them
		res, body := w.do(t, "POST", "/api/upload", bytes.NewReader(make([]byte, size)), "Content-Type", "application/octet-stream")
		if res.StatusCode != want {
			t.Errorf("%d bytes: %d %.200s, want %d", size, res.StatusCode, body, want)
		}
	}
}

func (w Web) request(t *testing.T) {
	res, body := w.do(t, "PUT", "/api/anything/a%2Fb%20c?x=1&x=2&e=%C3%A9", strings.NewReader("hello"),
		"X-Custom", "a", "X-Custom", "b", "Cookie", "s=1; t=2", "User-Agent", "contract")
	var got struct {
		Method, Data string
		URL          string
		Args         map[string][]string
		Headers      map[string][]string
	}
	if err := json.Unmarshal(body, &got); err != nil || res.StatusCode != 200 {
		t.Fatalf("%d %s: %v", res.StatusCode, body, err)
	}
	if got.Method != "PUT" || !slices.Equal(got.Args["x"], []string{"1", "2"}) || !slices.Equal(got.Args["e"], []string{"é"}) ||
		!strings.Contains(got.URL, "/anything/a%2Fb%20c") || !strings.HasSuffix(got.Data, "hello") && !strings.Contains(got.Data, "aGVsbG8=") {
		t.Errorf("%s", body)
	}
	if strings.Join(got.Headers["Cookie"], ";") != "s=1; t=2" || strings.Join(got.Headers["User-Agent"], "") != "contract" ||
		len(got.Headers["X-Forwarded-For"]) == 0 || got.Headers["X-Amzn-Trace-Id"] == nil {
		t.Errorf("headers %v", got.Headers)
	}
}

func (w Web) statuses(t *testing.T) {
	for _, tt := range []struct {
		method, path string
		status       int
	}{{"GET", "/api/status/204", 204}, {"GET", "/api/status/418", 418}, {"POST", "/api/status/500", 500},
		{"HEAD", "/api/head", 200}, {"GET", "/api/relative-redirect/1", 302}, {"DELETE", "/api/delete", 200}} {
		res, body := w.do(t, tt.method, tt.path, nil)
		if res.StatusCode != tt.status {
			t.Errorf("%s %s: %d %.200s", tt.method, tt.path, res.StatusCode, body)
		}
		if (tt.status == 204 || tt.method == "HEAD") && len(body) > 0 {
			t.Errorf("%s %s: body %q", tt.method, tt.path, body)
		}
		if tt.status == 302 && !strings.HasSuffix(res.Header.Get("Location"), "/api/get") {
			t.Errorf("location %q", res.Header.Get("Location"))
		}
	}
}

func (w Web) cookies(t *testing.T) {
	res, _ := w.do(t, "GET", "/api/cookies/set?a=1&b=2", nil)
	if got := res.Header.Values("Set-Cookie"); res.StatusCode != 302 || len(got) != 2 {
		t.Errorf("%d %v", res.StatusCode, got)
	}
}

func (w Web) binary(t *testing.T) {
	first, a := w.do(t, "GET", "/api/bytes/100000?seed=7", nil)
	_, b := w.do(t, "GET", "/api/bytes/100000?seed=7", nil)
	if len(a) != 100000 || !bytes.Equal(a, b) || first.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%d and %d bytes of %s", len(a), len(b), first.Header.Get("Content-Type"))
	}
}

func (w Web) binaryRequest(t *testing.T) {
	_, body := w.do(t, "POST", "/api/post", bytes.NewReader([]byte{0x89, 'P', 'N', 'G', 0, 0xff}), "Content-Type", "image/png")
	if !bytes.Contains(body, []byte("iVBORwD_")) { // httpbin shows it in URL-safe base64
		t.Errorf("%s", body)
	}
}

// cadence reads an event stream and compares the gaps with those of the writes. One
// run of three in step is proof: what buffers never is, what is busy may not be.
func (w Web) cadence(t *testing.T) {
	var err error
	for range 3 {
		if err = w.inStep(t); err == nil {
			return
		}
	}
	t.Error(err)
}

func (w Web) inStep(t *testing.T) error {
	const count, gap = 5, 100 * time.Millisecond
	r, err := http.NewRequestWithContext(t.Context(), "GET", fmt.Sprintf("%s/api/sse?count=%d&duration=%s&delay=0s", w.URL, count, (count-1)*gap), nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var at []time.Time
	for buf := make([]byte, 4096); ; {
		n, err := res.Body.Read(buf)
		for range bytes.Count(buf[:n], []byte("data:")) {
			at = append(at, time.Now())
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if len(at) != count {
		return fmt.Errorf("%d events, want %d", len(at), count)
	}
	for i := 1; i < count; i++ {
		if d := at[i].Sub(at[i-1]); d < gap/2 || d > gap*3/2 {
			return fmt.Errorf("event %d came %s after the one before, want %s", i, d, gap)
		}
	}
	return nil
}

func (w Web) encoded(t *testing.T) {
	res, body := w.do(t, "GET", "/api/gzip", nil, "Accept-Encoding", "gzip")
	if res.Header.Get("Content-Encoding") != "gzip" || !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		t.Errorf("%v %.20q", res.Header, body)
	}
}

func (w Web) appError(t *testing.T) {
	res, _ := w.do(t, "POST", "/api/status/422", nil)
	if res.StatusCode != 422 {
		t.Errorf("%d", res.StatusCode)
	}
}
