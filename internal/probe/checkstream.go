package probe

import (
	"context"
	"fmt"
	"time"
)

const bufferHint = "a hop collects the answer: the integration's response transfer mode must be STREAM and its URI end in " +
	"/response-streaming-invocations, the stage redeployed since, and no proxy in between may buffer or compress text/event-stream"

// checkCadence judges a stream that is started by one request and read by another a second time where it fails: its
// reader may have met a cold start, and so have come when the answer was complete.
func checkCadence(ctx context.Context, s *session) (finding, error) {
	if s.d.Stream == nil {
		return finding{}, s.absent("event stream")
	}
	f, err := s.cadence(ctx)
	if err == nil || s.d.Stream.Start == nil || ctx.Err() != nil {
		return f, err
	}
	first := f.detail
	if f, err = s.cadence(ctx); err == nil && first != "" {
		f.detail += " (the first reader came late: " + first + ")"
	}
	return f, err
}

func (s *session) cadence(ctx context.Context) (finding, error) {
	r, err := s.record(ctx, s.d.Stream)
	if err != nil {
		return finding{}, err
	}
	c := measure(r, s.d.HeartbeatEvent)
	verdict, ok := c.verdict()
	f := c.finding(verdict)
	if err := r.whole(s.d.Stream); err != nil {
		return f, err
	}
	if !ok {
		hint := bufferHint
		if verdict == "too short to judge" {
			hint = "the description's stream must have three events at least"
		}
		return f, problem{f.detail + wroteIn(c), hint}
	}
	return f, nil
}

func wroteIn(c cadence) string {
	if c.wrote == 0 {
		return ""
	}
	return fmt.Sprintf("; written over %s, read within %s", seconds(c.wrote), seconds(c.arrived))
}

// checkLate asks for a stream that holds its headers back, as a model does that thinks before it says anything.
func checkLate(ctx context.Context, s *session) (finding, error) {
	if s.d.Late == nil {
		return finding{}, s.absent("stream with late headers")
	}
	r, err := s.record(ctx, s.d.Late)
	if err != nil {
		return finding{}, err
	}
	if err := r.whole(s.d.Late); err != nil {
		return finding{}, err
	}
	c := measure(r, s.d.HeartbeatEvent)
	return found("headers after %s, first event after %s, whole", seconds(r.head), seconds(c.first)).
		with("headMs", ms(r.head)).with("firstEventMs", ms(c.first)), nil
}

func checkSilence(ctx context.Context, s *session) (finding, error) {
	if s.d.Silence == nil {
		return finding{}, s.absent("stream with a silence")
	}
	r, err := s.record(ctx, s.d.Silence)
	if err != nil {
		return finding{}, err
	}
	s.silence = r
	if err := r.whole(s.d.Silence); err != nil {
		return finding{}, err
	}
	c := measure(r, s.d.HeartbeatEvent)
	if c.longestGap < s.o.Silence*8/10 {
		return finding{}, failed("the stream is buffered, or the description's path does not ask for ${silence_ms}",
			"asked for %s of silence, the longest was %s", seconds(s.o.Silence), seconds(c.longestGap))
	}
	f := found("survived %s without an event of the app", seconds(c.longestGap)).with("longestGapMs", ms(c.longestGap))
	if s.o.Silence < time.Minute {
		f.detail += " (CloudFront cuts after 30 s: only the full run shows that it does not)"
	}
	return f, nil
}

// longestPatience is CloudFront's default origin response timeout, the shortest of the path.
const longestPatience = 30 * time.Second

// checkHeartbeats looks at what filled the silence.
func checkHeartbeats(_ context.Context, s *session) (finding, error) {
	switch {
	case s.d.Silence == nil:
		return finding{}, s.absent("stream with a silence")
	case s.o.Silence < longestPatience:
		return finding{}, skipped(fmt.Sprintf("a silence of %s is too short for one; make the full run", seconds(s.o.Silence)))
	case s.silence == nil:
		return finding{}, skipped("the stream with the silence was not received")
	}
	beats, comments := 0, 0
	last, longest := s.silence.began.Add(s.silence.head), time.Duration(0)
	for _, a := range s.silence.arrivals {
		longest = max(longest, a.at.Sub(last))
		last = a.at
		switch {
		case a.Comment:
			comments++
		case s.d.HeartbeatEvent != "" && a.Name == s.d.HeartbeatEvent:
			beats++
		}
	}
	f := found("%d in %s, longest time without a byte %s", beats, seconds(s.o.Silence), seconds(longest)).
		with("heartbeats", float64(beats)).with("comments", float64(comments)).with("longestQuietMs", ms(longest))
	if comments > 0 {
		return f, failed("send an event instead (event: ping, data: {}): some clients hand a comment line to their JSON parser", "%d comment lines came as heartbeats", comments)
	}
	if longest >= longestPatience {
		return f, failed("set SLUICE_HEARTBEAT below 30 s, CloudFront's default patience between packets", "nothing came for %s", seconds(longest))
	}
	return f, nil
}
