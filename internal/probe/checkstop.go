package probe

import (
	"context"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
	"github.com/aproorg/sluice/internal/probe/stream"
)

// piecesRead are how many pieces of its text are read of a stream before its reader leaves.
const piecesRead = 5

// stopping are the checks of a stream that is left and stopped, where the description has one.
func stopping(d description.Description) []check {
	if d.Stopped == nil {
		return nil
	}
	return []check{{name: "stream left and stopped", run: checkStopped}}
}

// checkStopped reads some of a stream and leaves, reads it again on another connection, and stops it. What the first
// reader saw must come to the second, and be in what is saved.
func checkStopped(ctx context.Context, s *session) (report.Finding, error) {
	st := s.d.Stopped
	if st.Start != nil {
		if err := s.ok(ctx, *st.Start, "to start the stream"); err != nil {
			return report.Finding{}, err
		}
	}
	pieces, err := regexp.Compile(st.Text)
	if err != nil {
		return report.Finding{}, err
	}
	seen, err := s.leave(ctx, st, pieces)
	if err != nil {
		return report.Finding{}, err
	}
	f := report.Found("left after %d characters", len(seen)).With("leftCharacters", float64(len(seen)))
	if st.Resume != nil {
		took, err := s.resume(ctx, st, pieces, seen)
		if err != nil {
			return f, err
		}
		f.Detail += ", which a second reader has too; it ended " + report.Seconds(took) + " after the stop"
		f = f.With("stopToEndMs", report.Millis(took))
	}
	if err := s.saved(ctx, st, seen); err != nil {
		return f, err
	}
	f.Detail += "; they are saved"
	return f, nil
}

// ok makes a request that must be answered with 2xx.
func (s *session) ok(ctx context.Context, r description.Request, what string) error {
	a, err := s.get(ctx, r)
	if err == nil && a.StatusCode/100 != 2 {
		err = report.Failed(apiHint(a), "%s %s got %d: %s", r.Path, what, a.StatusCode, excerpt(a.body))
	}
	return err
}

// leave reads some pieces of the text, and closes the connection.
func (s *session) leave(ctx context.Context, st *description.Stopped, pieces *regexp.Regexp) (seen string, err error) {
	n := 0
	err = s.follow(ctx, st.Request, func(data []byte) bool {
		for name, field := range st.Capture {
			if v, ok := description.Field(data, field); ok {
				s.vars[name] = v
			}
		}
		for _, m := range pieces.FindAllSubmatch(data, -1) {
			seen += string(m[1])
			n++
		}
		return n >= piecesRead
	})
	if err == nil && n < piecesRead {
		err = report.Failed("is the description right for this release of the app?", "the stream ended after %d pieces of text, %q", n, seen)
	}
	return strings.TrimSpace(seen), err
}

// resume reads the stream again until all is there that the first reader saw, stops it, and reads it to its end. It returns the
// time from the stop to the end.
func (s *session) resume(ctx context.Context, st *description.Stopped, pieces *regexp.Regexp, seen string) (time.Duration, error) {
	var text string
	var stopped time.Time
	var failed error
	ended := false
	err := s.follow(ctx, *st.Resume, func(data []byte) bool {
		for _, m := range pieces.FindAllSubmatch(data, -1) {
			text += string(m[1])
		}
		ended = strings.Contains(string(data), st.Final)
		if stopped.IsZero() && !ended && strings.Contains(text, seen) {
			stopped = time.Now()
			failed = s.ok(ctx, st.Stop, "to stop the stream")
		}
		return ended || failed != nil
	})
	switch {
	case failed != nil:
		return 0, failed
	case err != nil && ctx.Err() == nil:
		return 0, err
	case stopped.IsZero():
		return 0, report.Failed("streams cross environments through Redis: is it the same for all of them?", "the second reader did not get what the first one saw, %q, but %q", seen, excerpt([]byte(text)))
	case !ended:
		return 0, report.Failed("a stop reaches another environment than the one at work: they must have the same Redis", "the stream did not end within %s of the stop", report.Seconds(time.Since(stopped)))
	}
	return time.Since(stopped), nil
}

// follow hands the data of each event to a function, until it wants no more.
func (s *session) follow(ctx context.Context, r description.Request, enough func(data []byte) bool) error {
	res, _, err := s.send(ctx, r, nil, 0)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if err := stream.Is(res); err != nil {
		return err
	}
	if _, err := stream.Find(io.LimitReader(res.Body, maxBody), enough); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return report.Failed("a hop broke the response off, or the app does not end the stream", "%s: %v", r.Path, err)
	}
	return nil
}

// saved waits until the text is in what the app has saved.
func (s *session) saved(ctx context.Context, st *description.Stopped, seen string) error {
	for {
		a, err := s.get(ctx, st.Saved)
		if err == nil && a.StatusCode == 200 && strings.Contains(string(a.body), seen) {
			return nil
		}
		if ctx.Err() != nil {
			return report.Failed("is the environment frozen or ended before the app has saved? SLUICE_DRAIN holds it", "what was read of the answer, %q, is not in %s", seen, st.Saved.Path)
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond): // between two looks at what is saved
		}
	}
}
