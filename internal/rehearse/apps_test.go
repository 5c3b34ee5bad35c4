package rehearse_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mccutchen/go-httpbin/v2/httpbin"

	"github.com/aproorg/sluice/internal/rehearse"
)

// httpbinApp is go-httpbin as its own program would be run: a server on PORT.
func httpbinApp() int {
	err := http.ListenAndServe(net.JoinHostPort("127.0.0.1", os.Getenv("PORT")), httpbin.New())
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// TestHttpbin: an app that nobody here wrote, through all hops.
func TestHttpbin(t *testing.T) {
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, rehearse.Config{
		App:    rehearse.App{Name: "httpbin", Command: []string{executable, "httpbin-app"}, ReadyPath: "/status/200", Env: map[string]string{}},
		Listen: "127.0.0.1:0",
	})
	c := visitor(t)
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	t.Run("pages and statuses", func(t *testing.T) {
		for path, want := range map[string]int{
			"/": 200, "/html": 200, "/status/204": 204, "/status/418": 418, "/status/503": 503, "/redirect-to?url=/get&status_code=307": 307,
			"/basic-auth/u/p": 401, "/deny": 200, "/nothing-there": 404, "/bytes/100": 200, "/image/png": 200,
		} {
			if res, _ := get(t, c, w.ViewerURL+path); res.StatusCode != want {
				t.Errorf("%s: %d, want %d", path, res.StatusCode, want)
			}
		}
	})
	t.Run("what the app sees", func(t *testing.T) {
		req, _ := http.NewRequest("PUT", w.ViewerURL+"/anything/a%20b?x=1&y=2&x=3&empty=", strings.NewReader("\x00\xffbinary"))
		req.Header.Set("Content-Type", "application/octet-stream") // one of the API's binary media types
		req.Header.Set("User-Agent", "a browser")
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var saw struct {
			Args    map[string][]string
			Headers map[string][]string
			Method  string
			Data    string
		}
		if err := json.NewDecoder(res.Body).Decode(&saw); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(saw.Method, saw.Args["x"], saw.Args["y"], saw.Args["empty"], saw.Headers["User-Agent"]); got != "PUT[1 3] [2] [] [a browser]" {
			t.Errorf("saw %s", got)
		}
		if !strings.HasSuffix(saw.Data, ";base64,AP9iaW5hcnk=") {
			t.Errorf("the body was %q", saw.Data)
		}
	})
	t.Run("cookies", func(t *testing.T) {
		res, _ := get(t, c, w.ViewerURL+"/cookies/set?one=1&two=2")
		if n := len(res.Header.Values("Set-Cookie")); n != 2 {
			t.Errorf("%d cookies", n)
		}
	})
	t.Run("streams", func(t *testing.T) {
		for _, path := range []string{"/sse?count=10&duration=1s&delay=0s", "/drip?numbytes=10&duration=1s&delay=0s"} {
			spread(t, c, w.ViewerURL+path, 700*time.Millisecond)
		}
	})
	t.Run("a large body", func(t *testing.T) {
		_, body := get(t, c, w.ViewerURL+"/range/90000")
		if len(body) != 90_000 {
			t.Errorf("%d bytes", len(body))
		}
	})
}

// spread checks that an answer comes over a time, in pieces, and not at its end.
func spread(t *testing.T, c *http.Client, url string, least time.Duration) {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var first, last time.Time
	pieces := 0
	for buffer := make([]byte, 4096); ; {
		n, err := res.Body.Read(buffer)
		if n > 0 {
			last = time.Now()
			if pieces++; pieces == 1 {
				first = last
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if last.Sub(first) < least || pieces < 5 {
		t.Errorf("%s: %d pieces over %s; want at least 5 over %s", url, pieces, last.Sub(first), least)
	}
}

// TestNginx: a server with workers of its own, from the distribution's package.
func TestNginx(t *testing.T) {
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		nginx, err = exec.LookPath("/usr/sbin/nginx")
	}
	if err != nil {
		t.Skip("nginx is not here: make deps")
	}
	dir := t.TempDir()
	files := map[string]string{
		"html/index.html": "<!doctype html><title>plain</title>", "html/big.txt": strings.Repeat("0123456789", 300_000),
		"nginx.conf": `daemon off; worker_processes 2; error_log stderr notice; pid /tmp/nginx.pid;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
  types { text/html html; text/plain txt; } gzip on; gzip_types text/plain; gzip_min_length 1000;
  server {
    listen 127.0.0.1:PORT;
    root DIR/html;
    location = /old { return 301 /new?x=1; }
    location = /teapot { return 418 "short and stout"; }
  }
}`,
		"start.sh": `set -e
sed -e "s/PORT/$PORT/; s!DIR!$PWD!" nginx.conf >/tmp/nginx.conf
exec "$1" -c /tmp/nginx.conf
`,
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	readable(t, dir)
	w := start(t, rehearse.Config{
		App: rehearse.App{
			Name: "nginx", Command: []string{"sh", "start.sh", nginx}, Dir: dir, ReadyPath: "/",
			Env: map[string]string{}, ImageEnv: []string{"PATH=" + os.Getenv("PATH")},
		},
		Listen: "127.0.0.1:0",
	})
	c := visitor(t)
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, body := get(t, c, w.ViewerURL+"/")
	if res.StatusCode != 200 || body != files["html/index.html"] || !strings.HasPrefix(res.Header.Get("Server"), "nginx") && res.Header.Get("X-Amzn-Remapped-Server") == "" {
		t.Errorf("%d %q %v", res.StatusCode, body, res.Header)
	}
	if res, body := get(t, c, w.ViewerURL+"/big.txt"); res.StatusCode != 200 || body != files["html/big.txt"] {
		t.Errorf("%d, %d bytes", res.StatusCode, len(body))
	}
	for path, want := range map[string]int{"/old": 301, "/teapot": 418, "/none": 404} {
		if res, _ := get(t, c, w.ViewerURL+path); res.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, res.StatusCode, want)
		}
	}
	req, _ := http.NewRequest("GET", w.ViewerURL+"/big.txt", nil)
	req.Header.Set("Range", "bytes=10-19")
	if res, err := c.Do(req); err != nil || res.StatusCode != 206 || res.ContentLength != 10 {
		t.Errorf("a range: %v %v", res, err)
	}
	req.Header = http.Header{"If-None-Match": {res.Header.Get("Etag")}}
	req.URL.Path = "/"
	if res, err := c.Do(req); err != nil || res.StatusCode != 304 {
		t.Errorf("conditional: %v %v", res, err)
	}
}

// readable lets the app's user enter a test's directory.
func readable(t *testing.T, dir string) {
	t.Helper()
	for at := dir; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReadiness of an app whose path answers 404 by design.
func TestReadiness(t *testing.T) {
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, app := range map[string]rehearse.App{
		"statuses": {ReadyPath: "/status/404", ReadyStatus: "200-399,404"},
		"the port": {ReadyPath: "tcp"},
	} {
		t.Run(name, func(t *testing.T) {
			app.Name, app.Command = "httpbin", []string{executable, "httpbin-app"}
			w := start(t, rehearse.Config{App: app, Listen: "127.0.0.1:0"})
			if res, _ := get(t, visitor(t), w.ViewerURL+"/get"); res.StatusCode != http.StatusOK {
				t.Error(res.Status)
			}
		})
	}
}

// TestAppWithItsOwnPort: what looks like two environments on one port is one, and nobody is refused.
func TestAppWithItsOwnPort(t *testing.T) {
	cfg := demoConfig(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.App.Port = free.Addr().(*net.TCPAddr).Port
	free.Close()
	w := start(t, cfg)
	c := visitor(t)
	var mu sync.Mutex
	environments := map[string]bool{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			res, err := c.Get(w.ViewerURL + "/api/work?ms=150")
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			var answer struct{ Environment string }
			if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != 200 {
				t.Errorf("%d %v", res.StatusCode, err)
			}
			mu.Lock()
			environments[answer.Environment] = true
			mu.Unlock()
		})
	}
	wg.Wait()
	if len(environments) != 1 || len(w.Lambda.Environments()) != 1 {
		t.Errorf("answers of %v, environments %v; want one", environments, w.Lambda.Environments())
	}
}
