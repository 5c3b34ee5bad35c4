package rehearsal_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/emulate/llm"
)

// Words of an answer after which a reader stops, leaves or comes back, and how
// long the answer would be.
const (
	some    = 8
	endless = 3000
)

// TestStopStandIn and TestStopBuilt stop an answer from an environment that
// neither generates nor reads it.
func TestStopStandIn(t *testing.T) {
	t.Parallel()
	stopFromElsewhere(t, standInWorld(t, facts.GeneratesAfterPost, remembering))
}

func TestStopBuilt(t *testing.T) { eachThatGeneratesAfterPost(t, stopFromElsewhere) }

// TestReaderReturnsStandIn and TestReaderReturnsBuilt break a stream in its middle,
// and join it again in another environment.
func TestReaderReturnsStandIn(t *testing.T) {
	t.Parallel()
	readerReturns(t, standInWorld(t, facts.GeneratesAfterPost, remembering))
}

func TestReaderReturnsBuilt(t *testing.T) { eachThatGeneratesAfterPost(t, readerReturns) }

// TestReaderLeavesStandIn and TestReaderLeavesBuilt leave an answer in its middle
// for good. Lambda is told of no reader who leaves, so the answer goes on in
// releases of both designs: where the POST is the stream too, which at home ends it.
func TestReaderLeavesStandIn(t *testing.T) {
	for _, d := range []facts.Design{facts.StreamsInPost, facts.GeneratesAfterPost} {
		t.Run(d.String(), func(t *testing.T) { t.Parallel(); readerLeaves(t, standInWorld(t, d, remembering)) })
	}
}

func TestReaderLeavesBuilt(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) { readerLeaves(t, start(t, r, nil, remembering)) })
}

func eachThatGeneratesAfterPost(t *testing.T, run func(*testing.T, *world)) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		if r.Design != facts.GeneratesAfterPost {
			t.Skip("the POST is the stream of this release: there is no other environment")
		}
		run(t, start(t, r, nil, remembering))
	})
}

func stopFromElsewhere(t *testing.T, w *world) {
	p := w.warm(t, 3)
	q := p.begin(t, fmt.Sprintf("chat-stop [llm tokens=%d every=20ms first=1ms]", endless))
	reader := p.join(t, q.conversation, false)
	reader.words(t, some)
	abort := p.abort(t, q.conversation)
	reader.end(t)
	w.rest(t, func() {})

	w.differ(t, map[string]string{"generates": q.request, "reads": reader.request, "stops": abort})
	r := w.answers()["chat-stop"]
	if r.Outcome != llm.Cut || r.Sent >= endless {
		t.Errorf("the model's answer is %s after %d of %d words, want it cut", r.Outcome, r.Sent, endless)
	}
	text, err := p.answer(t.Context(), q.conversation)
	if text = strings.TrimSpace(text); err != nil || len(strings.Fields(text)) < some || len(text) >= len(r.Answer) || !strings.HasPrefix(r.Answer, text) {
		t.Errorf("in the database are %d characters, %.80q, want the beginning of %.80q; the model sent %d words: %v", len(text), text, r.Answer, r.Sent, err)
	}
	w.froze(t, "the stopped answer", w.works()[q.request], w.finished(t, p, q))
	w.readersFroze(t, map[string]bool{q.request: true})
}

func readerReturns(t *testing.T, w *world) {
	p := w.warm(t, 3)
	q := p.begin(t, "chat-return [llm tokens=150 every=40ms first=1ms]")
	first := p.join(t, q.conversation, false)
	first.words(t, some)
	first.leave()
	second := p.join(t, q.conversation, true)
	second.end(t)
	w.rest(t, func() {})

	w.differ(t, map[string]string{"generates": q.request, "read before": first.request, "reads now": second.request})
	r := w.answers()["chat-return"]
	if got, want := second.seen(), strings.TrimSpace(r.Answer); got != want {
		t.Errorf("who came back saw\n%.2000q, want\n%.2000q", got, want)
	}
	w.whole(t, p, q)
	w.readersFroze(t, map[string]bool{q.request: true})
}

func readerLeaves(t *testing.T, w *world) {
	p := w.warm(t, 3)
	q := p.begin(t, "chat-leave [llm tokens=100 every=40ms first=1ms]")
	reader := q.stream
	if reader == nil {
		reader = p.join(t, q.conversation, false)
	}
	reader.words(t, some)
	q.conversation = reader.conversation
	reader.leave()
	if r := w.answers()["chat-leave"]; r.Outcome != llm.Running {
		t.Fatalf("the answer is %s before its reader has left", r.Outcome)
	}
	w.ended(t, "chat-leave")
	w.rest(t, func() {})
	w.whole(t, p, q)
	w.readersFroze(t, map[string]bool{q.request: true})
}

// warm has environments started, so that the cold start of a reader's does not
// outlast the answer.
func (w *world) warm(t *testing.T, n int) *person {
	t.Helper()
	p := newPerson(t, w.ViewerURL, w.release.Design)
	for len(w.environments()) < n && t.Context().Err() == nil {
		var calls sync.WaitGroup
		for range n {
			calls.Go(func() { _ = p.call(t.Context(), http.MethodGet, "/api/user", nil, nil) }) // it only has to arrive
		}
		calls.Wait()
	}
	w.rest(t, func() {})
	return p
}

// whole holds an answer to what a reader who was there all the time would have:
// the whole of it, its title, and an environment that has frozen in time.
func (w *world) whole(t *testing.T, p *person, q question) {
	t.Helper()
	key := strings.Fields(q.text)[0]
	r := w.answers()[key]
	text, err := p.answer(t.Context(), q.conversation)
	if err != nil || r.Outcome != llm.Finished || strings.TrimSpace(text) != strings.TrimSpace(r.Answer) {
		t.Errorf("the model's answer is %s; in the database is %.80q (%d characters), want %.80q (%d): %v", r.Outcome, text, len(text), r.Answer, len(r.Answer), err)
	}
	if title := p.conversation(t, q.conversation).Title; title == "" || title == "New Chat" {
		t.Errorf("the title is %q", title)
	}
	w.froze(t, key, w.works()[q.request], w.finished(t, p, q))
}

// differ wants each request to have been served by another environment.
func (w *world) differ(t *testing.T, requests map[string]string) {
	t.Helper()
	works, found := w.works(), map[string]string{}
	for what, request := range requests {
		id := works[request].environment
		if id == "" {
			t.Errorf("no environment took the request of who %s", what)
		}
		if other, ok := found[id]; ok {
			t.Errorf("%s both %s and %s", id, what, other)
		}
		found[id] = what
	}
	t.Log(found)
}

// begin asks a question and returns when the response has begun.
func (p *person) begin(t *testing.T, text string) question {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	response, err := p.post(ctx, text)
	if err != nil {
		t.Fatal(err)
	}
	q := question{text: text, request: response.Header.Get("X-Amz-Cf-Id")}
	if p.design == facts.StreamsInPost {
		q.stream = newStream(t, response)
		return q
	}
	defer response.Body.Close()
	var started struct{ StreamID string }
	if err := json.NewDecoder(response.Body).Decode(&started); err != nil || started.StreamID == "" {
		t.Fatalf("the POST gave no stream: %v", err)
	}
	q.conversation = started.StreamID
	return q
}

// join reads the stream of a conversation.
func (p *person) join(t *testing.T, conversation string, resume bool) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	path := "/api/agents/chat/stream/" + conversation
	if resume {
		path += "?resume=true"
	}
	response, err := p.open(ctx, http.MethodGet, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newStream(t, response)
	s.conversation = conversation
	return s
}

// abort stops the answer, and returns the request's id.
func (p *person) abort(t *testing.T, conversation string) (request string) {
	t.Helper()
	response, err := p.open(t.Context(), http.MethodPost, "/api/agents/chat/abort", map[string]any{"streamId": conversation})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.Header.Get("X-Amz-Cf-Id")
}

// stream is an answer that is being read.
type stream struct {
	request, conversation string
	body                  io.Closer
	lines                 *bufio.Scanner
	synced                string   // what a reader who comes back is given first
	heard                 []string // words that came one by one
	final                 bool
}

func newStream(t *testing.T, response *http.Response) *stream {
	t.Cleanup(func() { response.Body.Close() })
	s := &stream{request: response.Header.Get("X-Amz-Cf-Id"), body: response.Body, lines: bufio.NewScanner(response.Body)}
	s.lines.Buffer(nil, 1<<20)
	return s
}

// leave closes the connection in the middle.
func (s *stream) leave() { s.body.Close() }

// words reads until so many have come.
func (s *stream) words(t *testing.T, n int) {
	t.Helper()
	for len(s.heard) < n {
		s.next(t)
	}
}

// end reads to the final event.
func (s *stream) end(t *testing.T) {
	t.Helper()
	for !s.final {
		s.next(t)
	}
}

// seen is the text that a page has put together before the final event.
func (s *stream) seen() string {
	return strings.TrimSpace(s.synced + strings.Join(s.heard, ""))
}

// next takes an event in.
func (s *stream) next(t *testing.T) {
	t.Helper()
	var data string
	for ok := false; !ok; {
		if !s.lines.Scan() {
			t.Fatalf("the stream ended without a final event after %d words: %v", len(s.heard), s.lines.Err())
		}
		data, ok = strings.CutPrefix(s.lines.Text(), "data: ")
	}
	var e struct {
		Final       bool
		Message     struct{ ConversationID string }
		ResumeState struct{ AggregatedContent []struct{ Text string } }
		Data        struct {
			Delta struct{ Content []struct{ Text string } }
		}
	}
	if json.Unmarshal([]byte(data), &e) != nil {
		return // an event of a kind that carries none of these
	}
	if s.conversation == "" {
		s.conversation = e.Message.ConversationID
	}
	s.final = e.Final
	for _, part := range e.ResumeState.AggregatedContent {
		s.synced += part.Text
	}

	for _, part := range e.Data.Delta.Content {
		s.heard = append(s.heard, part.Text)
	}
}
