package stream

import (
	"fmt"
	"slices"
	"time"

	"github.com/aproorg/sluice/internal/probe/report"
)

// Cadence is how a stream's events arrived, against how they were written where the app says so.
type Cadence struct {
	events       int
	head         time.Duration // from the request to the headers
	First        time.Duration // from the request to the first event
	wrote        time.Duration // from the first write to the last, 0 if not known
	arrived      time.Duration // from the first arrival to the last
	medianGap    time.Duration // between arrivals
	LongestGap   time.Duration
	delayP95     time.Duration // from write to arrival, above the least such delay; 0 if not known
	delayMax     time.Duration
	largestBatch int // events that came within a quarter of the writing pace
}

// Cadence measures events only: comments, and the heartbeats of that name, are nothing that the app wrote.
func (r *Recording) Cadence(heartbeat string) Cadence {
	var in []Arrival
	for _, a := range r.Arrivals {
		if !a.Comment && (heartbeat == "" || a.Name != heartbeat) {
			in = append(in, a)
		}
	}
	c := Cadence{events: len(in), head: r.Head}
	if len(in) == 0 {
		return c
	}
	c.First = in[0].At.Sub(r.Began)
	c.arrived = in[len(in)-1].At.Sub(in[0].At)
	gaps := gapsOf(in, func(a Arrival) time.Time { return a.At })
	if len(gaps) > 0 {
		c.LongestGap = slices.Max(gaps)
		c.medianGap = quantile(gaps, 0.5)
	}
	c.delays(in)
	c.largestBatch = batch(in, c.pace(in)/4)
	return c
}

// delays compares both clocks. They need not agree: the least delay stands for the clocks' difference and the way.
func (c *Cadence) delays(in []Arrival) {
	timed := slices.DeleteFunc(slices.Clone(in), func(a Arrival) bool { return a.written.IsZero() })
	if len(timed) < 2 {
		return
	}
	c.wrote = timed[len(timed)-1].written.Sub(timed[0].written)
	c.arrived = timed[len(timed)-1].At.Sub(timed[0].At)
	delays := make([]time.Duration, len(timed))
	for i, a := range timed {
		delays[i] = a.At.Sub(a.written)
	}
	least := slices.Min(delays)
	for i := range delays {
		delays[i] -= least
	}
	c.delayP95, c.delayMax = quantile(delays, 0.95), slices.Max(delays)
}

// pace is the usual time between two writes, or between two arrivals where the writes are not known.
func (c *Cadence) pace(in []Arrival) time.Duration {
	timed := slices.DeleteFunc(slices.Clone(in), func(a Arrival) bool { return a.written.IsZero() })
	if gaps := gapsOf(timed, func(a Arrival) time.Time { return a.written }); len(gaps) > 0 {
		return quantile(gaps, 0.5)
	}
	return max(c.medianGap, 20*time.Millisecond)
}

func gapsOf(in []Arrival, at func(Arrival) time.Time) []time.Duration {
	var gaps []time.Duration
	for i := 1; i < len(in); i++ {
		gaps = append(gaps, at(in[i]).Sub(at(in[i-1])))
	}
	return gaps
}

// batch counts the most events that came within a window.
func batch(in []Arrival, window time.Duration) int {
	most, first := 0, 0
	for last := range in {
		for in[last].At.Sub(in[first].At) > window {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

func quantile(d []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return sorted[int(q*float64(len(sorted)-1))]
}

const bufferHint = "a hop collects the answer: the integration's response transfer mode must be STREAM and its URI end in " +
	"/response-streaming-invocations, the stage redeployed since, and no proxy in between may buffer or compress text/event-stream"

// Judge returns what was measured, and a problem unless the events came as they were written.
func (c Cadence) Judge() (report.Finding, error) {
	verdict, ok := c.verdict()
	f := c.finding(verdict)
	if ok {
		return f, nil
	}
	hint := bufferHint
	if verdict == "too short to judge" {
		hint = "the description's stream must have three events at least"
	}
	return f, report.Problem{What: f.Detail + c.wroteIn(), Hint: hint}
}

// verdict is streamed, or what is wrong.
func (c Cadence) verdict() (string, bool) {
	switch {
	case c.events < 3:
		return "too short to judge", false
	case c.wrote > 0 && c.arrived < c.wrote/2:
		return "buffered", false
	case c.wrote == 0 && c.largestBatch > c.events*3/4:
		return "buffered", false
	case c.largestBatch > max(3, c.events/5):
		return "batched", false
	}
	return "streamed", true
}

func (c Cadence) finding(verdict string) report.Finding {
	f := report.Found("%s: %d events, first after %s, longest gap %s, at most %d at once", verdict, c.events, report.Seconds(c.First), report.Seconds(c.LongestGap), c.largestBatch)
	if c.wrote > 0 {
		f.Detail += ", written to read +" + report.Seconds(c.delayMax)
		f = f.With("writtenMs", report.Millis(c.wrote)).With("delayP95Ms", report.Millis(c.delayP95)).With("delayMaxMs", report.Millis(c.delayMax))
	}
	return f.With("events", float64(c.events)).With("headMs", report.Millis(c.head)).With("firstEventMs", report.Millis(c.First)).
		With("arrivedMs", report.Millis(c.arrived)).With("medianGapMs", report.Millis(c.medianGap)).With("longestGapMs", report.Millis(c.LongestGap)).
		With("largestBatchEvents", float64(c.largestBatch))
}

func (c Cadence) wroteIn() string {
	if c.wrote == 0 {
		return ""
	}
	return fmt.Sprintf("; written over %s, read within %s", report.Seconds(c.wrote), report.Seconds(c.arrived))
}
