package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"slices"
	"strings"
	"sync"
	"time"
)

// Call is one request of a conversation. Its answer is JSON, or an event stream
// that carries that JSON as the data of one of its events, as JSON-RPC over
// streamable HTTP answers.
type Call struct {
	Name string `json:"name"` // of the check
	Request
	Status []int `json:"status,omitempty"` // those that are right; none is 200
	// Field is the dotted path of a field that the answer must have; Request.Capture
	// reads from the same JSON. Empty: the body does not matter.
	Field string `json:"field,omitempty"`
	// CaptureHeader names variables that are taken from the answer's header fields. One
	// that the answer lacks is empty.
	CaptureHeader map[string]string `json:"captureHeader,omitempty"`
	// Together is how often the call is made at the same time, so that it reaches
	// several environments; 0 is once.
	Together int    `json:"together,omitempty"`
	Hint     string `json:"hint,omitempty"` // what most likely mends a failure
}

// conversation are the checks of the description's calls. After one that failed
// the others are skipped.
func (d Description) conversation() []check {
	var all []check
	for _, c := range d.Conversation {
		all = append(all, check{name: c.Name, run: func(ctx context.Context, s *session) (finding, error) {
			if s.silent != "" {
				return finding{}, skipped(fmt.Sprintf("it follows %q, which failed", s.silent))
			}
			f, err := s.call(ctx, c)
			if err != nil && !errors.As(err, new(skipped)) {
				s.silent = c.Name
			}
			return f, err
		}})
	}
	return all
}

// reply is the answer to one call.
type reply struct {
	status int
	stream bool
	took   time.Duration
	answer answer // its body is the JSON that was looked for
}

func (s *session) call(ctx context.Context, c Call) (finding, error) {
	if c.Together > 1 {
		return s.callTogether(ctx, c)
	}
	r, err := s.exchange(ctx, c)
	if err != nil {
		return finding{}, err
	}
	for name, field := range c.CaptureHeader {
		s.vars[name] = r.answer.Header.Get(field)
	}
	if err := s.capture(c.Request, r.answer); err != nil {
		return finding{}, err
	}
	how := ""
	if r.stream {
		how = " in an event stream"
	}
	return found("%d%s after %s", r.status, how, seconds(r.took)).with("tookMs", ms(r.took)), nil
}

// callTogether makes the call several times at once. Variables are only read.
func (s *session) callTogether(ctx context.Context, c Call) (finding, error) {
	faults := make([]error, c.Together)
	var wg sync.WaitGroup
	for i := range faults {
		wg.Go(func() { _, faults[i] = s.exchange(ctx, c) })
	}
	wg.Wait()
	wrong := 0
	var first error
	for _, err := range faults {
		if err != nil {
			wrong++
			first = err
		}
	}
	if first == nil {
		return found("%d at the same time, all answered", c.Together), nil
	}
	var p problem
	if !errors.As(first, &p) {
		return finding{}, first
	}
	return finding{}, problem{fmt.Sprintf("%d of %d at the same time failed: %s", wrong, c.Together, p.what), p.hint}
}

// exchange sends the call and reads its answer up to the JSON that it must have.
func (s *session) exchange(ctx context.Context, c Call) (reply, error) {
	res, t, err := s.send(ctx, c.Request, nil, 0)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	r := reply{status: res.StatusCode, stream: kind == "text/event-stream"}
	right := c.Status
	if len(right) == 0 {
		right = []int{200}
	}
	body := io.Reader(io.LimitReader(res.Body, maxBody))
	expected := slices.Contains(right, res.StatusCode)
	var data []byte
	if r.stream && expected && c.Field != "" {
		data, err = eventWith(body, c.Field)
	} else {
		data, err = io.ReadAll(body)
	}
	r.took = time.Since(t.began)
	if cause := context.Cause(ctx); cause != nil && err != nil {
		err = cause
	}
	r.answer = answer{res, data, *t}
	switch {
	case !expected:
		return r, failed(or(c.Hint, apiHint(r.answer)), "%s got %d: %s", c.Path, res.StatusCode, excerpt(data))
	case err != nil:
		return r, failed("a hop broke the response off, or the app does not answer this call", "%s: no answer after %s: %v", c.Path, seconds(r.took), err)
	case r.answer.isHTML():
		return r, failed(maskHint, "%s got a page (%d %s)", c.Path, res.StatusCode, res.Header.Get("Content-Type"))
	case c.Field != "" && !hasField(data, c.Field):
		return r, failed(or(c.Hint, "is the description right for this release of the app?"), "%s: the answer (%d) has no field %q: %s", c.Path, res.StatusCode, c.Field, excerpt(data))
	}
	return r, nil
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// eventWith reads an event stream up to the event whose data has the field, and
// returns the data of the last event where none has.
func eventWith(body io.Reader, field string) ([]byte, error) {
	var p parser
	var last []byte
	buf := make([]byte, 64<<10)
	for {
		n, err := body.Read(buf)
		events, fault := p.feed(buf[:n])
		for _, e := range events {
			if e.Comment {
				continue
			}
			if last = []byte(e.Data); hasField(last, field) {
				return last, nil
			}
		}
		switch {
		case fault != nil:
			return last, fault
		case errors.Is(err, io.EOF):
			return last, nil
		case err != nil:
			return last, err
		}
	}
}

// hasField reports whether JSON has a field of any kind at a dotted path.
func hasField(data []byte, path string) bool {
	var v any
	if json.Unmarshal(data, &v) != nil {
		return false
	}
	for name := range strings.SplitSeq(path, ".") {
		object, _ := v.(map[string]any)
		var ok bool
		if v, ok = object[name]; !ok {
			return false
		}
	}
	return true
}
