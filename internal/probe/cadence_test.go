package probe

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
)

// stream makes a recording of events written each 100 ms, with the arrivals in ms after the first write.
func stream(clock bool, arrivals ...int) *recording {
	start := time.Unix(1_700_000_000, 0)
	r := &recording{began: start.Add(-20 * time.Millisecond), head: 10 * time.Millisecond}
	for i, at := range arrivals {
		a := arrival{Event: Event{Name: "tick"}, at: start.Add(time.Duration(at) * time.Millisecond)}
		if clock { // the app's clock is an hour off
			a.written = start.Add(time.Hour + time.Duration(i)*100*time.Millisecond)
		}
		r.arrivals = append(r.arrivals, a)
		r.ended = a.at
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
		if got, _ := measure(stream(c.clock, c.arrivals...), "ping").verdict(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	c := measure(stream(true, 5, 104, 260, 305), "ping")
	if c.first != 25*time.Millisecond || c.longestGap != 156*time.Millisecond || c.delayMax != 56*time.Millisecond || c.wrote != 300*time.Millisecond {
		t.Errorf("measured %+v", c)
	}
}

func TestHeartbeats(t *testing.T) {
	at := func(name string, comment bool, seconds ...int) *recording {
		r := stream(false, 0)
		for _, s := range seconds {
			r.arrivals = append(r.arrivals, arrival{Event: Event{Name: name, Comment: comment}, at: r.arrivals[0].at.Add(time.Duration(s) * time.Second)})
		}
		return r
	}
	for _, c := range []struct {
		name string
		rec  *recording
		o    Options
		want Status
		why  string
	}{
		{"each 15 s", at("ping", false, 15, 30, 45, 60), Options{}, Pass, "4 in 60.0 s"},
		{"none", at("tick", false, 60), Options{}, Fail, "nothing came for 60.0 s"},
		{"too seldom", at("ping", false, 29, 60), Options{}, Fail, "nothing came for 31.0 s"},
		{"comments", at("", true, 15, 30, 45, 60), Options{}, Fail, "4 comment lines"},
		{"short run", at("ping", false, 1), Options{Quick: true}, Skip, "too short"},
		{"no stream", nil, Options{}, Skip, "not received"},
	} {
		s := newSession(&url.URL{Scheme: "http", Host: "x"}, Description{Silence: &Stream{Request: Request{Path: "/"}}, HeartbeatEvent: "ping"}, c.o.withDefaults())
		s.silence = c.rec
		f, err := checkHeartbeats(t.Context(), s)
		got := resultOf("heartbeats", f, err, 0)
		if got.Status != c.want || !strings.Contains(got.Detail, c.why) {
			t.Errorf("%s: %s %q, want %s %q", c.name, got.Status, got.Detail, c.want, c.why)
		}
	}
}

func TestACutStreamIsExplainedByItsLastSilence(t *testing.T) {
	for after, want := range map[time.Duration]string{
		30 * time.Second:       "CloudFront's default",
		5 * time.Minute:        "streaming REST API",
		15 * time.Second:       "idle timeout",
		200 * time.Millisecond: "truncates",
	} {
		r := stream(false, 0, 100)
		r.ended = r.arrivals[1].at.Add(after)
		for _, r.err = range []error{nil, errors.New("reset")} {
			got := resultOf("", finding{}, r.whole(&Stream{Final: "x"}), 0)
			if got.Status != Fail || !strings.Contains(got.Hint, want) {
				t.Errorf("after %s: %s, hint %q", after, got.Detail, got.Hint)
			}
		}
	}
}
