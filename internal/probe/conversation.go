package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"slices"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
	"github.com/aproorg/sluice/internal/probe/stream"
)

// conversation are the checks of the description's calls. After one that failed
// the others are skipped.
func conversation(d description.Description) []check {
	var all []check
	for _, c := range d.Conversation {
		all = append(all, check{name: c.Name, run: func(ctx context.Context, s *session) (report.Finding, error) {
			if s.silent != "" {
				return report.Finding{}, report.Skipped(fmt.Sprintf("it follows %q, which failed", s.silent))
			}
			f, err := s.call(ctx, c)
			if err != nil && !errors.As(err, new(report.Skipped)) {
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

func (s *session) call(ctx context.Context, c description.Call) (report.Finding, error) {
	if c.Together > 1 {
		return s.callTogether(ctx, c)
	}
	r, err := s.exchange(ctx, c)
	if err != nil {
		return report.Finding{}, err
	}
	for name, field := range c.CaptureHeader {
		s.vars[name] = r.answer.Header.Get(field)
	}
	if err := s.capture(c.Request, r.answer); err != nil {
		return report.Finding{}, err
	}
	how := ""
	if r.stream {
		how = " in an event stream"
	}
	return report.Found("%d%s after %s", r.status, how, report.Seconds(r.took)).With("tookMs", report.Millis(r.took)), nil
}

// callTogether makes the call several times at once. Variables are only read.
func (s *session) callTogether(ctx context.Context, c description.Call) (report.Finding, error) {
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
		return report.Found("%d at the same time, all answered", c.Together), nil
	}
	var p report.Problem
	if !errors.As(first, &p) {
		return report.Finding{}, first
	}
	return report.Finding{}, report.Failed(p.Hint, "%d of %d at the same time failed: %s", wrong, c.Together, p.What)
}

// exchange sends the call and reads its answer up to the JSON that it must have.
func (s *session) exchange(ctx context.Context, c description.Call) (reply, error) {
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
		data, err = stream.Find(body, func(data []byte) bool { return description.HasField(data, c.Field) })
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
		return r, report.Failed(or(c.Hint, apiHint(r.answer)), "%s got %d: %s", c.Path, res.StatusCode, excerpt(data))
	case err != nil:
		return r, report.Failed("a hop broke the response off, or the app does not answer this call", "%s: no answer after %s: %v", c.Path, report.Seconds(r.took), err)
	case r.answer.isHTML():
		return r, report.Failed(maskHint, "%s got a page (%d %s)", c.Path, res.StatusCode, res.Header.Get("Content-Type"))
	case c.Field != "" && !description.HasField(data, c.Field):
		return r, report.Failed(or(c.Hint, "is the description right for this release of the app?"), "%s: the answer (%d) has no field %q: %s", c.Path, res.StatusCode, c.Field, excerpt(data))
	}
	return r, nil
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
