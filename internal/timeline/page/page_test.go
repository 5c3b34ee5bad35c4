package page_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/timeline"
	"github.com/aproorg/sluice/internal/timeline/page"
)

// message is one message of the feed as a browser reads it.
type message struct {
	ID     string
	Missed uint64
	Events []struct {
		Seq  uint64
		Kind timeline.Kind
		T    float64
		Time *string
	}
}

// readMessage reads up to the next message of a stream of server-sent events.
func readMessage(t *testing.T, r *bufio.Reader) message {
	t.Helper()
	var m message
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("read the feed: %v", err)
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "id":
			m.ID = value
		case "data":
			if err := json.Unmarshal([]byte(value), &m); err != nil {
				t.Fatalf("message %q: %v", value, err)
			}
			return m
		}
	}
}

func open(t *testing.T, url, lastEventID string) *bufio.Reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastEventID != "" {
		req.Header.Set("Last-Event-ID", lastEventID)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("content type %q, status %s", got, res.Status)
	}
	return bufio.NewReader(res.Body)
}

func TestFeedIsLiveAndGoesOn(t *testing.T) {
	recorder := timeline.NewRecorder(0)
	server := httptest.NewServer(page.New(page.Config{Recorder: recorder}))
	t.Cleanup(server.Close)
	recorder.Record(timeline.Event{Kind: timeline.Log, Time: time.Now()})
	feed := open(t, server.URL, "")
	first := readMessage(t, feed)
	if len(first.Events) != 1 || first.Events[0].Kind != timeline.Log || first.Events[0].Time != nil {
		t.Fatalf("first message: %+v", first)
	}

	begin := time.Now()
	recorder.Record(timeline.Event{Kind: timeline.Store, Time: begin})
	second := readMessage(t, feed)
	if len(second.Events) != 1 || second.Events[0].Seq != 2 || second.ID != "2" {
		t.Fatalf("second message: %+v", second)
	}
	if waited := time.Since(begin); waited > 500*time.Millisecond {
		t.Errorf("an event took %v to the browser", waited)
	}
	if gap := second.Events[0].T - first.Events[0].T; gap <= 0 || gap > 10000 {
		t.Errorf("the events are %v ms apart on the page's clock", gap)
	}
	if again := readMessage(t, open(t, server.URL, "1")); len(again.Events) != 1 || again.Events[0].Seq != 2 {
		t.Errorf("a browser that saw event 1 got %+v", again)
	}
}

func TestButtonsReachTheEnvironment(t *testing.T) {
	var recycled string
	server := httptest.NewServer(page.New(page.Config{
		Recorder: timeline.NewRecorder(0),
		Recycle: func(environment string) error {
			recycled = environment
			if environment != "env-1" {
				return errors.New("no environment " + environment)
			}
			return nil
		},
	}))
	t.Cleanup(server.Close)
	for _, test := range []struct {
		path   string
		status int
	}{
		{"/environments/env-1/recycle", http.StatusNoContent},
		{"/environments/env-9/recycle", http.StatusConflict},
		{"/environments/env-1/kill", http.StatusNotFound},
	} {
		res, err := http.Post(server.URL+test.path, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != test.status {
			t.Errorf("POST %s: %s, want %d", test.path, res.Status, test.status)
		}
	}
	if recycled != "env-9" {
		t.Errorf("recycled %q last", recycled)
	}
}

// Another site can neither press the buttons nor read the page by a name of its own.
func TestOtherSitesAreKeptOut(t *testing.T) {
	handler := page.New(page.Config{
		Recorder: timeline.NewRecorder(0),
		Kill:     func(string) error { t.Error("a button was pressed"); return nil },
	})
	cross := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:1/environments/env-1/kill", nil)
	cross.Header.Set("Sec-Fetch-Site", "cross-site")
	rebound := httptest.NewRequest(http.MethodGet, "http://evil.example:1/info", nil)
	for _, req := range []*http.Request{cross, rebound} {
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, req)
		if rec.Code != http.StatusForbidden {
			t.Errorf("%s %s: status %d", req.Method, req.URL, rec.Code)
		}
	}
}

func TestPageNeedsNoNetwork(t *testing.T) {
	server := httptest.NewServer(page.New(page.Config{Recorder: timeline.NewRecorder(0)}))
	t.Cleanup(server.Close)
	for _, name := range []string{"/", "/main.js", "/model.js", "/view.js", "/canvas.js", "/lanes.js", "/requests.js", "/details.js", "/style.css", "/icon.svg"} {
		res, err := http.Get(server.URL + name)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("GET %s: %s, %v", name, res.Status, err)
		}
		text := strings.ReplaceAll(string(body), "http://www.w3.org/2000/svg", "")
		if strings.Contains(text, "http://") || strings.Contains(text, "https://") {
			t.Errorf("%s names an address of the network", name)
		}
		if !strings.Contains(res.Header.Get("Content-Security-Policy"), "default-src 'self'") {
			t.Errorf("%s has no content security policy", name)
		}
	}
}

// TestPageIsGivenNoSecrets: the feed, which is all that the page shows, has no secret of a query.
func TestPageIsGivenNoSecrets(t *testing.T) {
	recorder := timeline.NewRecorder(0)
	server := httptest.NewServer(page.New(page.Config{Recorder: recorder}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	recorder.Record(timeline.Event{Kind: timeline.RequestStart, Request: "r", Hop: timeline.CloudFront, Method: "GET", Path: "/cb?code=hunter2&page=1"})
	res, err := http.Get(server.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			if strings.Contains(data, "hunter2") || !strings.Contains(data, "code=[redacted]") {
				t.Errorf("the feed has %s", data)
			}
			return
		}
	}
	t.Fatal("the feed is empty")
}
