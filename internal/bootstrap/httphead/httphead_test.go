package httphead

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

var get = &http.Request{Method: http.MethodGet}

// endless repeats a text for ever, and counts what was read of it.
type endless struct {
	text string
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text[e.read%len(e.text):])
	e.read += n
	return n, nil
}

func TestHeadWithoutEnd(t *testing.T) {
	for name, text := range map[string]string{"status line": "HTTP/1.1 200 ", "line": "x", "fields": "A: b\r\n"} {
		peer := &endless{text: text}
		begin := ""
		if name != "status line" {
			begin = "HTTP/1.1 200 OK\r\nX: "
		}
		r := NewReader(io.MultiReader(strings.NewReader(begin), peer), 4<<10)
		r.Begin()
		if _, err := r.ReadResponse(get); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
		if peer.read > Max {
			t.Errorf("%s: %d bytes were read", name, peer.read)
		}
	}
}

// TestPragmaStaysAlone: net/http adds Cache-Control to it, which caches obey and the app did not send.
func TestPragmaStaysAlone(t *testing.T) {
	for head, want := range map[string]string{
		"Pragma: no-cache\r\n":                                    "",
		"pragma: no-cache\r\ncache-control: no-cache\r\n":         "no-cache",
		"Cache-Control: max-age=1\nPragma: no-cache\n":            "max-age=1",
		"Cache-Control: no-cache\r\n":                             "no-cache",
		"Pragma: no-cache\r\nX: \r\n cache-control: no-cache\r\n": "",
	} {
		early := "HTTP/1.1 103 Early Hints\r\nCache-Control: no-cache\r\n\r\n"
		body := "\ncache-control: no-cache\n\n"
		r := NewReader(strings.NewReader(early+"HTTP/1.1 200 OK\r\n"+head+"Content-Length: 27\r\n\r\n"+body), 4<<10)
		r.Begin()
		if _, err := r.ReadResponse(get); err != nil {
			t.Fatal(err)
		}
		resp, err := r.ReadResponse(get)
		if err != nil {
			t.Fatalf("%q: %v", head, err)
		}
		if got := resp.Header.Get("Cache-Control"); got != want {
			t.Errorf("%q: Cache-Control %q, want %q", head, got, want)
		}
	}
}

// TestOnlyTheHeadCounts: a body may be longer than a head, and so may all the heads of a connection that is kept.
func TestOnlyTheHeadCounts(t *testing.T) {
	long := strings.Repeat("x", Max)
	r := NewReader(strings.NewReader(strings.Repeat("HTTP/1.1 200 OK\r\nX: "+long[:Max/2]+"\r\nContent-Length: 65536\r\n\r\n"+long, 3)), 4<<10)
	for i := range 3 {
		r.Begin()
		resp, err := r.ReadResponse(get)
		if err != nil {
			t.Fatalf("response %d: %v", i, err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != long {
			t.Errorf("response %d: %d bytes, %v", i, len(body), err)
		}
	}
}

// TestInformationalHeadsCountTogether: many small heads before the final one are bounded as one large head is.
func TestInformationalHeadsCountTogether(t *testing.T) {
	peer := &endless{text: "HTTP/1.1 103 Early Hints\r\n\r\n"}
	r := NewReader(peer, 4<<10)
	r.Begin()
	var err error
	for err == nil {
		_, err = r.ReadResponse(get)
	}
	if !errors.Is(err, ErrTooLarge) || peer.read > Max {
		t.Errorf("%v after %d bytes", err, peer.read)
	}
}

func TestTrailersWithoutEnd(t *testing.T) {
	peer := &endless{text: "A: b\r\n"}
	r := NewReader(io.MultiReader(strings.NewReader("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"), peer), 4<<10)
	r.Begin()
	resp, err := r.ReadResponse(get)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); err == nil || string(body) != "ok" || peer.read > 8<<10 {
		t.Errorf("body %q, %v after %d bytes of trailers", body, err, peer.read)
	}
}

func TestWhatIsNoResponse(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     io.ErrUnexpectedEOF.Error(),
		"HTTP/1.1 200 OK\r\nA: b":              io.ErrUnexpectedEOF.Error(),
		"HTTP/1.1 099 What\r\n\r\n":            "status 099",
		"what is it\r\n\r\n":                   "malformed HTTP",
		"HTTP/1.1 200 OK\r\nA: b\x00c\r\n\r\n": "malformed MIME header",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n": "multiple Content-Length",
	} {
		r := NewReader(strings.NewReader(text), 4<<10)
		r.Begin()
		if _, err := r.ReadResponse(get); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
