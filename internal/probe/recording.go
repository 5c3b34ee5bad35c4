package probe

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// arrival is an event with the moment at which the read that completed it returned.
type arrival struct {
	Event
	at      time.Time
	read    int       // which read it came with
	written time.Time // by the app's clock, zero if the event has none
}

// recording is what arrived of a stream.
type recording struct {
	began    time.Time
	head     time.Duration // to the headers
	header   http.Header
	arrivals []arrival
	reads    int
	bytes    int64
	final    bool  // the last event of a whole stream came
	err      error // how it ended, nil at an orderly end
	ended    time.Time
}

// record reads an event stream to its end.
func (s *session) record(ctx context.Context, st *Stream) (*recording, error) {
	if st.Start != nil {
		a, err := s.get(ctx, *st.Start)
		if err != nil {
			return nil, err
		}
		if a.StatusCode/100 != 2 {
			return nil, failed(apiHint(a), "%s to start the stream got %d: %s", st.Start.Path, a.StatusCode, excerpt(a.body))
		}
	}
	res, t, err := s.send(ctx, st.Request, nil, 0)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if err := isStream(res); err != nil {
		return nil, err
	}
	r := &recording{began: t.began, head: t.head, header: res.Header}
	r.read(res.Body, st)
	if cause := context.Cause(ctx); cause != nil && r.err != nil {
		r.err = cause
	}
	return r, nil
}

func isStream(res *http.Response) error {
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case res.StatusCode != http.StatusOK:
		body, _ := io.ReadAll(io.LimitReader(res.Body, 200))
		hint := "read the answer's text; it comes from the hop that gave up"
		if res.StatusCode == http.StatusGatewayTimeout {
			hint = "a hop waited too long for headers: its timeout is shorter than the app's silence"
		}
		return failed(hint, "the stream got %d: %s", res.StatusCode, strings.Join(strings.Fields(string(body)), " "))
	case kind == "text/html":
		return failed("a rule turns answers of the API into index.html: custom error responses have no path condition, so rewrite SPA routes in a viewer-request function instead", "the stream's path is answered with a page (200 text/html)")
	case kind != "text/event-stream":
		return failed("the app's Content-Type must pass unchanged", "the stream has Content-Type %q", res.Header.Get("Content-Type"))
	}
	return nil
}

func (r *recording) read(body io.Reader, st *Stream) {
	var p parser
	buf := make([]byte, 64<<10)
	for {
		n, err := body.Read(buf)
		now := time.Now()
		if n > 0 {
			r.reads++
			r.bytes += int64(n)
			events, perr := p.feed(buf[:n])
			for _, e := range events {
				r.arrivals = append(r.arrivals, arrival{e, now, r.reads, clockOf(e, st.Clock)})
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
	v, ok := jsonField([]byte(e.Data), field)
	if !ok {
		return time.Time{}
	}
	us, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMicro(us)
}

// whole tells how a stream was cut, or nil.
func (r *recording) whole(st *Stream) error {
	after := r.ended.Sub(r.began)
	if r.err != nil {
		return failed(cutHint(r), "the stream broke off after %s and %d events: %v", seconds(after), len(r.arrivals), r.err)
	}
	if st.Final != "" && !r.final {
		return failed(cutHint(r), "the stream was cut: it ended after %s and %d events without its last one", seconds(after), len(r.arrivals))
	}
	return nil
}

// cutHint guesses from the length of the last silence who lost patience.
func cutHint(r *recording) string {
	last := r.began.Add(r.head)
	if n := len(r.arrivals); n > 0 {
		last = r.arrivals[n-1].at
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
