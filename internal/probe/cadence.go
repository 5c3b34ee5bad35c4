package probe

import (
	"slices"
	"time"
)

// cadence is how a stream's events arrived, against how they were written where the app says so.
type cadence struct {
	events       int
	head         time.Duration // from the request to the headers
	first        time.Duration // from the request to the first event
	wrote        time.Duration // from the first write to the last, 0 if not known
	arrived      time.Duration // from the first arrival to the last
	medianGap    time.Duration // between arrivals
	longestGap   time.Duration
	delayP95     time.Duration // from write to arrival, above the least such delay; 0 if not known
	delayMax     time.Duration
	largestBatch int // events that came within a quarter of the writing pace
}

// measure looks at events only: comments and heartbeats are nothing that the app wrote.
func measure(r *recording, heartbeat string) cadence {
	var in []arrival
	for _, a := range r.arrivals {
		if !a.Comment && (heartbeat == "" || a.Name != heartbeat) {
			in = append(in, a)
		}
	}
	c := cadence{events: len(in), head: r.head}
	if len(in) == 0 {
		return c
	}
	c.first = in[0].at.Sub(r.began)
	c.arrived = in[len(in)-1].at.Sub(in[0].at)
	gaps := gapsOf(in, func(a arrival) time.Time { return a.at })
	if len(gaps) > 0 {
		c.longestGap = slices.Max(gaps)
		c.medianGap = quantile(gaps, 0.5)
	}
	c.delays(in)
	c.largestBatch = batch(in, c.pace(in)/4)
	return c
}

// delays compares both clocks. They need not agree: the least delay stands for the clocks' difference and the way.
func (c *cadence) delays(in []arrival) {
	timed := slices.DeleteFunc(slices.Clone(in), func(a arrival) bool { return a.written.IsZero() })
	if len(timed) < 2 {
		return
	}
	c.wrote = timed[len(timed)-1].written.Sub(timed[0].written)
	c.arrived = timed[len(timed)-1].at.Sub(timed[0].at)
	delays := make([]time.Duration, len(timed))
	for i, a := range timed {
		delays[i] = a.at.Sub(a.written)
	}
	least := slices.Min(delays)
	for i := range delays {
		delays[i] -= least
	}
	c.delayP95, c.delayMax = quantile(delays, 0.95), slices.Max(delays)
}

// pace is the usual time between two writes, or between two arrivals where the writes are not known.
func (c *cadence) pace(in []arrival) time.Duration {
	timed := slices.DeleteFunc(slices.Clone(in), func(a arrival) bool { return a.written.IsZero() })
	if gaps := gapsOf(timed, func(a arrival) time.Time { return a.written }); len(gaps) > 0 {
		return quantile(gaps, 0.5)
	}
	return max(c.medianGap, 20*time.Millisecond)
}

func gapsOf(in []arrival, at func(arrival) time.Time) []time.Duration {
	var gaps []time.Duration
	for i := 1; i < len(in); i++ {
		gaps = append(gaps, at(in[i]).Sub(at(in[i-1])))
	}
	return gaps
}

// batch counts the most events that came within a window.
func batch(in []arrival, window time.Duration) int {
	most, first := 0, 0
	for last := range in {
		for in[last].at.Sub(in[first].at) > window {
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

// verdict is streamed, or what is wrong.
func (c cadence) verdict() (string, bool) {
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

func (c cadence) finding(verdict string) finding {
	f := found("%s: %d events, first after %s, longest gap %s, at most %d at once", verdict, c.events, seconds(c.first), seconds(c.longestGap), c.largestBatch)
	if c.wrote > 0 {
		f.detail += ", written to read +" + seconds(c.delayMax)
		f = f.with("writtenMs", ms(c.wrote)).with("delayP95Ms", ms(c.delayP95)).with("delayMaxMs", ms(c.delayMax))
	}
	return f.with("events", float64(c.events)).with("headMs", ms(c.head)).with("firstEventMs", ms(c.first)).
		with("arrivedMs", ms(c.arrived)).with("medianGapMs", ms(c.medianGap)).with("longestGapMs", ms(c.longestGap)).
		with("largestBatchEvents", float64(c.largestBatch))
}
