package llm

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func ask(t *testing.T, ctx context.Context, url, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "POST", url+"/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := Start("", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

const chat = `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hello"}]}`

// read returns the text of a stream and when each of its words came.
func read(t *testing.T, r io.Reader) (text string, came []time.Time, done bool) {
	t.Helper()
	for s := bufio.NewScanner(r); s.Scan(); {
		data, ok := strings.CutPrefix(s.Text(), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			return text, came, true
		}
		var c struct {
			Choices []struct{ Delta struct{ Content string } }
		}
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			t.Fatalf("event %q: %v", data, err)
		}
		if len(c.Choices) == 1 && c.Choices[0].Delta.Content != "" {
			text += c.Choices[0].Delta.Content
			came = append(came, time.Now())
		}
	}
	return text, came, false
}

func TestStreamKeepsItsPace(t *testing.T) {
	s := start(t, Config{Tokens: 5, Rate: 20, First: 10 * time.Millisecond})
	text, came, done := read(t, ask(t, t.Context(), s.URL(), chat).Body)
	if !done || len(came) != 5 {
		t.Fatalf("got %d words, done %v", len(came), done)
	}
	if took := came[4].Sub(came[0]); took < 150*time.Millisecond {
		t.Errorf("five words within %v: they were not paced at 20 a second", took)
	}
	s.Close()
	r := s.Requests()[0]
	if r.Answer != text || r.Outcome != Finished || r.Sent != 5 || r.Title {
		t.Errorf("record %+v does not fit the text %q", r, text)
	}
}

func TestSameQuestionSameAnswer(t *testing.T) {
	s := start(t, Config{Rate: -1, First: -1})
	one, _, _ := read(t, ask(t, t.Context(), s.URL(), chat).Body)
	two, _, _ := read(t, ask(t, t.Context(), s.URL(), chat).Body)
	other, _, _ := read(t, ask(t, t.Context(), s.URL(), strings.Replace(chat, "hello", "goodbye", 1)).Body)
	if one == "" || one != two || one == other {
		t.Errorf("answers: %q, %q, and to another question %q", one, two, other)
	}
}

func TestReaderThatLeavesCutsTheAnswer(t *testing.T) {
	s := start(t, Config{Tokens: 1000, Rate: 100, First: -1})
	ctx, cancel := context.WithCancel(t.Context())
	resp := ask(t, ctx, s.URL(), chat)
	bufio.NewReader(resp.Body).ReadString('\n')
	cancel()
	if err := s.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := s.Requests()[0]; r.Outcome != Cut || r.Sent < 1 || r.Sent >= 1000 {
		t.Errorf("record %+v", r)
	}
}

func TestMarkSetsPace(t *testing.T) {
	s := start(t, Config{})
	marked := func(mark string) string { return strings.Replace(chat, "hello", "hi [llm "+mark+"] there", 1) }
	text, came, done := read(t, ask(t, t.Context(), s.URL(), marked("tokens=30 every=100us first=1ms")).Body)
	if len(came) != 30 || !done {
		t.Errorf("got %d words: %q", len(came), text)
	}
	if got := ask(t, t.Context(), s.URL(), marked("status=429")).StatusCode; got != 429 {
		t.Errorf("status=429 gave %d", got)
	}
	for _, bad := range []string{"tokens=x", "tokens=0", "rate=0", "rate=NaN", "every=0", "every=1", "first=soon", "status=200", "color=red"} {
		if got := ask(t, t.Context(), s.URL(), marked(bad)).StatusCode; got != 400 {
			t.Errorf("%s gave %d, want 400", bad, got)
		}
	}
}

func TestTitleComesAtOnceAndWhole(t *testing.T) {
	s := start(t, Config{First: time.Hour})
	resp := ask(t, t.Context(), s.URL(), `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"Write a concise title for this conversation"}]}]}`)
	var got struct {
		Choices []struct{ Message struct{ Content string } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if words := strings.Fields(got.Choices[0].Message.Content); len(words) == 0 || len(words) > 5 {
		t.Errorf("title is %q", words)
	}
	if !s.Requests()[0].Title {
		t.Error("the record does not say that it was a title")
	}
}

func TestModelsAndUnknownPaths(t *testing.T) {
	srv := httptest.NewServer(New(Config{}))
	defer srv.Close()
	for path, want := range map[string]int{"/v1/models": 200, "/v1/embeddings": 404} {
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s gave %d, want %d", path, resp.StatusCode, want)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add(chat)
	f.Add(`{"messages":[{"role":"user","content":[{"text":"[llm tokens=2 rate=1e9]"}]}]}`)
	f.Add(`{"messages":[{"role":"system","content":"title"},{"role":"user","content":7}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		var in completion
		if json.Unmarshal([]byte(body), &in) != nil {
			return
		}
		in.asksTitle()
		p, err := paceOf(Config{}.withDefaults(), in.question())
		if err == nil && (p.Tokens < 1 || !(p.Rate > 0)) {
			t.Errorf("pace %+v was accepted", p)
		}
	})
}
