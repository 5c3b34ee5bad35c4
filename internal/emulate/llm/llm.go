// Package llm is a stub language model that speaks the OpenAI chat completions
// API (https://platform.openai.com/docs/api-reference/chat), so that a
// rehearsal needs no provider and no key. It streams plain words at a set
// pace, the same words for the same question, and keeps a record of what it
// finished.
//
// It models GET /v1/models and POST /v1/chat/completions, streamed and whole,
// with usage, and the end of a stream whose reader has left. It answers
// requests for a conversation's title at once with a few words. It refuses
// other paths with 404. It knows no tools, images, embeddings, several
// choices or token counts of real models: a token here is a word.
//
// A question can set its own pace, for tests, by a mark such as
// "[llm tokens=600 rate=2 first=3s status=429]" anywhere in its text; every=500ms
// is another way to say rate=2.
package llm

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxRequest bounds a request's body in bytes.
const maxRequest = 32 << 20

// Config sets the pace. Its zero value answers with 60 tokens, 20 a second,
// the first after 300 ms.
type Config struct {
	Tokens int           // words of an answer
	Rate   float64       // words in a second; negative means no pause
	First  time.Duration // before the first word; negative means no pause
}

func (c Config) withDefaults() Config {
	if c.Tokens == 0 {
		c.Tokens = 60
	}
	if c.Rate == 0 {
		c.Rate = 20
	}
	if c.First == 0 {
		c.First = 300 * time.Millisecond
	}
	return c
}

// Outcome is how a request ended.
type Outcome string

const (
	Running  Outcome = "running"
	Finished Outcome = "finished" // the whole answer was written
	Cut      Outcome = "cut"      // the reader left first
	Refused  Outcome = "refused"  // with the status that the question asked for
)

// Request is the record of one completion.
type Request struct {
	Model    string
	Title    bool   // it asked for a conversation's title
	Question string // the user's last message
	Answer   string // the whole of it; what was sent may be less if it was cut
	Sent     int    // tokens written
	Started  time.Time
	Ended    time.Time // zero while running
	Outcome  Outcome
}

// Model is the stub. It is an http.Handler and safe for concurrent use.
type Model struct {
	pace Config
	mux  *http.ServeMux

	mu       sync.Mutex
	requests []*Request
}

// New returns a model with a pace of its own.
func New(cfg Config) *Model {
	m := &Model{pace: cfg.withDefaults(), mux: http.NewServeMux()}
	m.mux.HandleFunc("GET /v1/models", m.models)
	m.mux.HandleFunc("POST /v1/chat/completions", m.complete)
	return m
}

func (m *Model) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.mux.ServeHTTP(w, r) }

// ModelName is the only model on the list; others are answered too.
const ModelName = "rehearsal"

func (m *Model) models(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": []any{
		map[string]any{"id": ModelName, "object": "model", "created": 0, "owned_by": "sluice"},
	}})
}

// Requests returns a copy of all records, oldest first.
func (m *Model) Requests() []Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Request, len(m.requests))
	for i, r := range m.requests {
		all[i] = *r
	}
	return all
}

func (m *Model) begin(r Request) *Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests = append(m.requests, &r)
	return &r
}

func (m *Model) update(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// complete answers one chat completion.
func (m *Model) complete(w http.ResponseWriter, r *http.Request) {
	var in completion
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("request cannot be read: %v", err))
		return
	}
	question := in.question()
	p, err := paceOf(m.pace, question)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	rec := Request{Model: in.Model, Title: in.asksTitle(), Question: question, Started: time.Now(), Outcome: Running}
	words := answer(question, p.Tokens)
	if rec.Title {
		words = title(question)
		p.First, p.Rate = -1, -1
	}
	rec.Answer = strings.Join(words, "")
	a := &answering{model: m, record: m.begin(rec), in: in, words: words, pace: p.Config}
	if p.status != 0 && !rec.Title {
		a.end(Refused)
		refuse(w, p.status, "the question asked for this status")
		return
	}
	if in.Stream {
		a.stream(w, r)
	} else {
		a.whole(w, r)
	}
}

func refuse(w http.ResponseWriter, status int, msg string) {
	writeJSON(w, status, map[string]any{"error": map[string]any{"message": msg, "type": "invalid_request_error"}})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
