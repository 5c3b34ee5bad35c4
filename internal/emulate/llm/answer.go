package llm

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"time"
)

var vocabulary = strings.Fields(`a stream is a promise that the next word will come while the reader still
holds the last one so every hop between the two must pass on what it has and never wait for more water
finds its level through a gate that opens by degrees and what was rehearsed at home holds far away`)

// answer makes the words of an answer, each with the space that follows it. It
// depends on its arguments only. Words are numbered now and then, so that a
// person sees where a stream stands.
func answer(question string, n int) []string {
	h := fnv.New32a()
	h.Write([]byte(question))
	at := int(h.Sum32() % uint32(len(vocabulary)))
	words := make([]string, n)
	for i := range words {
		w := vocabulary[(at+i)%len(vocabulary)]
		if i%12 == 0 {
			w = strings.ToUpper(w[:1]) + w[1:]
		}
		switch {
		case i == n-1:
			w += "."
		case i%12 == 11:
			w += " (" + strconv.Itoa(i+1) + "). "
		default:
			w += " "
		}
		words[i] = w
	}
	return words
}

// title makes a title of at most five words.
func title(question string) []string {
	words := answer(question, 4)
	words[3] = strings.TrimSuffix(words[3], ".")
	return words
}

// answering is one answer on its way.
type answering struct {
	model  *Model
	record *Request
	in     completion
	words  []string
	pace   Config
}

func (a *answering) end(o Outcome) {
	a.model.update(func() { a.record.Outcome, a.record.Ended = o, time.Now() })
}

// wait pauses before word i and reports whether the reader is still there.
func (a *answering) wait(ctx context.Context, i int) bool {
	d := a.pace.First
	if i > 0 {
		d = time.Duration(float64(time.Second) / a.pace.Rate)
	}
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// stream writes the answer as server-sent events, word by word.
func (a *answering) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	for i, word := range a.words {
		if !a.wait(r.Context(), i) {
			a.end(Cut)
			return
		}
		delta := map[string]any{"content": word}
		if i == 0 {
			delta["role"] = "assistant"
		}
		if a.event(w, a.chunk(delta, nil)) != nil || out.Flush() != nil {
			a.end(Cut)
			return
		}
		a.model.update(func() { a.record.Sent++ })
	}
	if err := a.finish(w); err != nil || out.Flush() != nil {
		a.end(Cut)
		return
	}
	a.end(Finished)
}

// finish writes the events after the last word.
func (a *answering) finish(w http.ResponseWriter) error {
	if err := a.event(w, a.chunk(map[string]any{}, "stop")); err != nil {
		return err
	}
	if a.in.Options.Usage {
		c := a.chunk(nil, nil)
		c["choices"] = []any{}
		c["usage"] = a.usage()
		if err := a.event(w, c); err != nil {
			return err
		}
	}
	_, err := fmt.Fprint(w, "data: [DONE]\n\n")
	return err
}

func (a *answering) event(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "data: %s\n\n", b)
	return err
}

func (a *answering) chunk(delta, finish any) map[string]any {
	return map[string]any{
		"id": "chatcmpl-rehearsal", "object": "chat.completion.chunk", "created": a.record.Started.Unix(),
		"model":   a.in.Model,
		"choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}},
	}
}

func (a *answering) usage() map[string]any {
	asked := len(strings.Fields(a.record.Question))
	return map[string]any{"prompt_tokens": asked, "completion_tokens": len(a.words), "total_tokens": asked + len(a.words)}
}

// whole writes the answer at once, after the time that it takes.
func (a *answering) whole(w http.ResponseWriter, r *http.Request) {
	for i := range a.words {
		if !a.wait(r.Context(), i) {
			a.end(Cut)
			return
		}
	}
	a.model.update(func() { a.record.Sent = len(a.words) })
	writeJSON(w, http.StatusOK, map[string]any{
		"id": "chatcmpl-rehearsal", "object": "chat.completion", "created": a.record.Started.Unix(),
		"model": a.in.Model,
		"choices": []any{map[string]any{"index": 0, "finish_reason": "stop",
			"message": map[string]any{"role": "assistant", "content": a.record.Answer}}},
		"usage": a.usage(),
	})
	a.end(Finished)
}
