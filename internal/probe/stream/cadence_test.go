package stream

import (
	"testing"
	"time"
)

// recording makes one of events written each 100 ms, with the arrivals in ms after the first write.
func recording(clock bool, arrivals ...int) *Recording {
	start := time.Unix(1_700_000_000, 0)
	r := &Recording{Began: start.Add(-20 * time.Millisecond), Head: 10 * time.Millisecond}
	for i, at := range arrivals {
		a := Arrival{Event: Event{Name: "tick"}, At: start.Add(time.Duration(at) * time.Millisecond)}
		if clock { // the app's clock is an hour off
			a.written = start.Add(time.Hour + time.Duration(i)*100*time.Millisecond)
		}
		r.Arrivals = append(r.Arrivals, a)
		r.ended = a.At
	}
	return r
}

func TestVerdict(t *testing.T) {
	even := []int{5, 104, 206, 305, 404, 507, 605, 706, 805, 904}
	for _, c := range []struct {
		name     string
		arrivals []int
		clock    bool
		want     string
	}{
		{"even", even, true, "streamed"},
		{"even, no clock", even, false, "streamed"},
		{"one pair together", []int{5, 104, 305, 306, 404, 507, 605, 706, 805, 904}, true, "streamed"},
		{"all at the end", []int{901, 901, 901, 902, 902, 902, 902, 903, 903, 903}, true, "buffered"},
		{"all at the end, no clock", []int{901, 901, 901, 902, 902, 902, 902, 903, 903, 903}, false, "buffered"},
		{"in blocks of five", []int{401, 401, 402, 402, 402, 901, 901, 902, 902, 902}, true, "batched"},
		{"two", []int{1, 2}, true, "too short to judge"},
		{"none", nil, true, "too short to judge"},
	} {
		if got, _ := recording(c.clock, c.arrivals...).Cadence("ping").verdict(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	c := recording(true, 5, 104, 260, 305).Cadence("ping")
	if c.First != 25*time.Millisecond || c.LongestGap != 156*time.Millisecond || c.delayMax != 56*time.Millisecond || c.wrote != 300*time.Millisecond {
		t.Errorf("measured %+v", c)
	}
}
