package probe

import (
	"context"
	"fmt"
	"time"

	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
	"github.com/aproorg/sluice/internal/probe/stream"
)

// checkCadence judges a stream that is started by one request and read by another a second time where it fails: its
// reader may have met a cold start, and so have come when the answer was complete.
func checkCadence(ctx context.Context, s *session) (report.Finding, error) {
	if s.d.Stream == nil {
		return report.Finding{}, s.absent("event stream")
	}
	f, err := s.cadence(ctx)
	if err == nil || s.d.Stream.Start == nil || ctx.Err() != nil {
		return f, err
	}
	first := f.Detail
	if f, err = s.cadence(ctx); err == nil && first != "" {
		f.Detail += " (the first reader came late: " + first + ")"
	}
	return f, err
}

func (s *session) cadence(ctx context.Context) (report.Finding, error) {
	r, err := s.record(ctx, s.d.Stream)
	if err != nil {
		return report.Finding{}, err
	}
	f, fault := r.Cadence(s.d.HeartbeatEvent).Judge()
	if err := r.Whole(s.d.Stream); err != nil {
		return f, err
	}
	return f, fault
}

// record reads an event stream to its end.
func (s *session) record(ctx context.Context, st *description.Stream) (*stream.Recording, error) {
	if st.Start != nil {
		a, err := s.get(ctx, *st.Start)
		if err != nil {
			return nil, err
		}
		if a.StatusCode/100 != 2 {
			return nil, report.Failed(apiHint(a), "%s to start the stream got %d: %s", st.Start.Path, a.StatusCode, excerpt(a.body))
		}
	}
	res, t, err := s.send(ctx, st.Request, nil, 0)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	r := &stream.Recording{Began: t.began, Head: t.head}
	return r, r.Read(ctx, res, st)
}

// checkLate asks for a stream that holds its headers back, as a model does that thinks before it says anything.
func checkLate(ctx context.Context, s *session) (report.Finding, error) {
	if s.d.Late == nil {
		return report.Finding{}, s.absent("stream with late headers")
	}
	r, err := s.record(ctx, s.d.Late)
	if err != nil {
		return report.Finding{}, err
	}
	if err := r.Whole(s.d.Late); err != nil {
		return report.Finding{}, err
	}
	c := r.Cadence(s.d.HeartbeatEvent)
	return report.Found("headers after %s, first event after %s, whole", report.Seconds(r.Head), report.Seconds(c.First)).
		With("headMs", report.Millis(r.Head)).With("firstEventMs", report.Millis(c.First)), nil
}

func checkSilence(ctx context.Context, s *session) (report.Finding, error) {
	if s.d.Silence == nil {
		return report.Finding{}, s.absent("stream with a silence")
	}
	r, err := s.record(ctx, s.d.Silence)
	if err != nil {
		return report.Finding{}, err
	}
	s.silence = r
	if err := r.Whole(s.d.Silence); err != nil {
		return report.Finding{}, err
	}
	c := r.Cadence(s.d.HeartbeatEvent)
	if c.LongestGap < s.o.Silence*8/10 {
		return report.Finding{}, report.Failed("the stream is buffered, or the description's path does not ask for ${silence_ms}",
			"asked for %s of silence, the longest was %s", report.Seconds(s.o.Silence), report.Seconds(c.LongestGap))
	}
	f := report.Found("survived %s without an event of the app", report.Seconds(c.LongestGap)).With("longestGapMs", report.Millis(c.LongestGap))
	if s.o.Silence < time.Minute {
		f.Detail += " (CloudFront cuts after 30 s: only the full run shows that it does not)"
	}
	return f, nil
}

// longestPatience is CloudFront's default origin response timeout, the shortest of the path.
const longestPatience = 30 * time.Second

// checkHeartbeats looks at what filled the silence.
func checkHeartbeats(_ context.Context, s *session) (report.Finding, error) {
	switch {
	case s.d.Silence == nil:
		return report.Finding{}, s.absent("stream with a silence")
	case s.o.Silence < longestPatience:
		return report.Finding{}, report.Skipped(fmt.Sprintf("a silence of %s is too short for one; make the full run", report.Seconds(s.o.Silence)))
	case s.silence == nil:
		return report.Finding{}, report.Skipped("the stream with the silence was not received")
	}
	beats, alone, longest := s.silence.Silence(s.d.HeartbeatEvent)
	f := report.Found("%d in %s, longest time without a byte %s", beats, report.Seconds(s.o.Silence), report.Seconds(longest)).
		With("heartbeats", float64(beats)).With("emptyEvents", float64(alone)).With("longestQuietMs", report.Millis(longest))
	if alone > 0 {
		return f, report.Failed("leave the empty line out, or send an event instead (event: ping): some clients hand an event without data to their JSON parser", "%d comment lines came with an empty line after them", alone)
	}
	if longest >= longestPatience {
		return f, report.Failed("set SLUICE_HEARTBEAT below 30 s, CloudFront's default patience between packets", "nothing came for %s", report.Seconds(longest))
	}
	return f, nil
}
