package terraform

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
)

// calls keeps every call of the emulated account and its answer.
type calls struct {
	next http.Handler

	mu    sync.Mutex
	phase string // what runs: plan, apply, destroy, or a command of sluice
	kept  []call
	guard *guard // refuses calls, where there is one
}

// call is a request to AWS, and the answer.
type call struct {
	Phase          string
	Method         string
	URL            string
	Header         http.Header
	Request        []byte
	Status         int
	ResponseHeader http.Header
	Response       []byte
}

func (c *calls) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(request))
	kept := call{Method: r.Method, URL: r.URL.String(), Header: r.Header.Clone(), Request: request}
	c.mu.Lock()
	kept.Phase = c.phase
	guard := c.guard
	c.mu.Unlock()
	answer := httptest.NewRecorder()
	if !guard.refused(answer, kept) {
		c.next.ServeHTTP(answer, r)
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
	kept.Status, kept.ResponseHeader, kept.Response = answer.Code, answer.Header(), answer.Body.Bytes()
	guard.learn(kept)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = append(c.kept, kept)
	if file := os.Getenv("SLUICE_CALLS"); file != "" {
		line, _ := json.Marshal(kept)
		f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			f.Write(append(line, '\n'))
			f.Close()
		}
	}
}

// count is how many calls there were.
func (c *calls) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.kept)
}

// places are the regions that calls from the n-th on were signed for, each with the service.
func (c *calls) places(n int) (places []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, call := range c.kept[n:] {
		region := signedRegion(&http.Request{Header: call.Header})
		if found := signedFor.FindStringSubmatch(call.Header.Get("Authorization")); found != nil {
			places = append(places, region+" "+found[1])
		}
	}
	slices.Sort(places)
	return slices.Compact(places)
}

// runs says what runs from now on.
func (c *calls) runs(phase string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase = phase
}
