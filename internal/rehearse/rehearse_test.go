package rehearse_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/demo"
	"github.com/aproorg/sluice/internal/rehearse"
)

// The test binary is also the apps that are rehearsed.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 {
		switch os.Args[1] {
		case "demo-app":
			os.Exit(demoApp())
		case "httpbin-app":
			os.Exit(httpbinApp())
		case "upload-app":
			os.Exit(uploadApp())
		case "function":
			runFunction()
		case "snapstart-rehearsal":
			os.Exit(snapStartRehearsal())
		case "clock-app":
			os.Exit(clockApp())
		}
	}
	os.Exit(m.Run())
}

func demoApp() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	config, err := demo.ConfigFrom(os.Getenv)
	if err == nil {
		config.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
		err = demo.Run(ctx, config)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// demoConfig is a rehearsal of the demo app on free ports.
func demoConfig(t testing.TB) rehearse.Config {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return rehearse.Config{
		App: rehearse.App{
			Name: "demo", Command: []string{executable, "demo-app"}, ReadyPath: "/health",
			Env: map[string]string{"SLUICE_BUSY_PATH": "/busy"}, State: "DEMO_STATE_DIR",
		},
		Site:   demo.Site(),
		Listen: "127.0.0.1:0",
	}
}

func start(t testing.TB, cfg rehearse.Config) *rehearse.World {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	w, err := rehearse.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return w
}

// visitor is a browser without a screen.
func visitor(t testing.TB) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 256}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Timeout: 60 * time.Second, Transport: transport}
}

func get(t testing.TB, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	return res, string(body)
}

func TestSiteAndAPIOnOneDomain(t *testing.T) {
	w := start(t, demoConfig(t))
	c := visitor(t)
	for _, test := range []struct {
		path, contentType, cacheControl string
		status                          int
	}{
		{"/", "text/html", "no-store", 200},
		{"/c/some-chat", "text/html", "no-store", 200},
		{"/missing.js", "application/xml", "", 403},
		{"/health", "", "", 200},
		{"/api/no/such/route", "", "", 404},
	} {
		res, body := get(t, c, w.ViewerURL+test.path)
		if res.StatusCode != test.status || !strings.HasPrefix(res.Header.Get("Content-Type"), test.contentType) || !strings.HasPrefix(res.Header.Get("Cache-Control"), test.cacheControl) {
			t.Errorf("GET %s: %s, %v\n%.200s", test.path, res.Status, res.Header, body)
		}
		if res.Header.Get("X-Amz-Cf-Id") == "" || res.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("GET %s did not come through the distribution: %v", test.path, res.Header)
		}
	}
}
