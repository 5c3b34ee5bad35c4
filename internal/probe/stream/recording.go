package stream

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
)

// Arrival is an event with the moment at which the read that completed it returned.
type Arrival struct {
	Event
	At      time.Time
	written time.Time // by the app's clock, zero if the event has none
}

// Recording is what arrived of a stream.
type Recording struct {
	Began    time.Time     // when it was asked for
	Head     time.Duration // from then to the headers
	Arrivals []Arrival

	final bool  // the last event of a whole stream came
	err   error // how it ended, nil at an orderly end
	ended time.Time
}

// Read records the body of a response to its end. The error is for a response that is no event stream; how a stream
// ended is for [Recording.Whole].
func (r *Recording) Read(ctx context.Context, res *http.Response, st *description.Stream) error {
	if err := Is(res); err != nil {
		return err
	}
	r.read(res.Body, st)
	if cause := context.Cause(ctx); cause != nil && r.err != nil {
		r.err = cause
	}
	return nil
}

// Is returns what is wrong where a response is no event stream.
func Is(res *http.Response) error {
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case res.StatusCode != http.StatusOK:
		body, _ := io.ReadAll(io.LimitReader(res.Body, 200))
		hint := "read the answer's text; it comes from the hop that gave up"
		if res.StatusCode == http.StatusGatewayTimeout {
			hint = "a hop waited too long for headers: its timeout is shorter than the app's silence"
		}
		return report.Failed(hint, "the stream got %d: %s", res.StatusCode, strings.Join(strings.Fields(string(body)), " "))
	case kind == "text/html":
		return report.Failed("a rule turns answers of the API into index.html: custom error responses have no path condition, so rewrite SPA routes in a viewer-request function instead", "the stream's path is answered with a page (200 text/html)")
	case kind != "text/event-stream":
		return report.Failed("the app's Content-Type must pass unchanged", "the stream has Content-Type %q", res.Header.Get("Content-Type"))
	}
	return nil
}

// What is recorded of a stream; one that streams what people read stays far below. An event of five bytes takes a hundred.
const (
	maxRecording = 64 << 20
	maxArrivals  = 250_000
)

var errRecordingTooLarge = errors.New("the stream is larger than 64 MB or 250,000 events")

func (r *Recording) read(body io.Reader, st *description.Stream) {
	var p parser
	total := 0
	buf := make([]byte, 64<<10)
	for {
		n, err := body.Read(buf)
		now := time.Now()
		if total += n; (total > maxRecording || len(r.Arrivals) > maxArrivals) && err == nil {
			err = errRecordingTooLarge
		}
		if n > 0 {
			events, perr := p.feed(buf[:n])
			for _, e := range events {
				r.Arrivals = append(r.Arrivals, Arrival{e, now, clockOf(e, st.Clock)})
				if !e.Comment && st.Final != "" && strings.Contains(e.Data, st.Final) {
					r.final = true
				}
			}
			if err == nil {
				err = perr
			}
		}
		if err != nil {
			r.ended = now
			if !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				r.err = err
			}
			return
		}
	}
}

func clockOf(e Event, field string) time.Time {
	if field == "" || e.Comment {
		return time.Time{}
	}
	v, ok := description.Field([]byte(e.Data), field)
	if !ok {
		return time.Time{}
	}
	us, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMicro(us)
}

// Whole is an error that says how the stream was cut, or nil.
func (r *Recording) Whole(st *description.Stream) error {
	after := r.ended.Sub(r.Began)
	if r.err != nil {
		return report.Failed(cutHint(r), "the stream broke off after %s and %d events: %v", report.Seconds(after), len(r.Arrivals), r.err)
	}
	if st.Final != "" && !r.final {
		return report.Failed(cutHint(r), "the stream was cut: it ended after %s and %d events without its last one", report.Seconds(after), len(r.Arrivals))
	}
	return nil
}

// cutHint guesses from the length of the last silence who lost patience.
func cutHint(r *Recording) string {
	last := r.Began.Add(r.Head)
	if n := len(r.Arrivals); n > 0 {
		last = r.Arrivals[n-1].At
	}
	switch quiet := r.ended.Sub(last); {
	case quiet > 25*time.Second && quiet < 35*time.Second:
		return "30 s of silence is CloudFront's default origin response timeout, counted between packets: send heartbeats more often (SLUICE_HEARTBEAT), or raise the timeout"
	case quiet > 275*time.Second:
		return "5 min of silence is the idle timeout of a streaming REST API; an edge-optimized one has 30 s"
	case quiet > 10*time.Second:
		return "a hop's idle timeout is shorter than the silence; heartbeats (SLUICE_HEARTBEAT) must come more often"
	}
	return "a hop truncates bodies, or the app or its environment ended: look for a crash, a timeout or a size limit at this time"
}

// Silence is how the time between events was filled: with heartbeats of that name or comment lines, how many comments had an empty
// line after them, and the longest time without either.
func (r *Recording) Silence(heartbeat string) (beats, alone int, longest time.Duration) {
	last := r.Began.Add(r.Head)
	for _, a := range r.Arrivals {
		longest = max(longest, a.At.Sub(last))
		last = a.At
		switch {
		case a.Alone:
			alone++
		case a.Comment:
			beats++
		case heartbeat != "" && a.Name == heartbeat:
			beats++
		}
	}
	return beats, alone, longest
}
