package probe

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
	"github.com/aproorg/sluice/internal/probe/stream"
)

func TestHeartbeats(t *testing.T) {
	at := func(name string, comment, alone bool, seconds ...int) *stream.Recording {
		start := time.Unix(1_700_000_000, 0)
		r := &stream.Recording{Began: start.Add(-20 * time.Millisecond), Head: 10 * time.Millisecond,
			Arrivals: []stream.Arrival{{Event: stream.Event{Name: "tick"}, At: start}}}
		for _, s := range seconds {
			r.Arrivals = append(r.Arrivals, stream.Arrival{Event: stream.Event{Name: name, Comment: comment, Alone: alone}, At: start.Add(time.Duration(s) * time.Second)})
		}
		return r
	}
	for _, c := range []struct {
		name string
		rec  *stream.Recording
		o    Options
		want report.Status
		why  string
	}{
		{"each 15 s", at("ping", false, false, 15, 30, 45, 60), Options{}, report.Pass, "4 in 60.0 s"},
		{"none", at("tick", false, false, 60), Options{}, report.Fail, "nothing came for 60.0 s"},
		{"too seldom", at("ping", false, false, 29, 60), Options{}, report.Fail, "nothing came for 31.0 s"},
		{"comments", at("", true, false, 15, 30, 45, 60), Options{}, report.Pass, "4 in 60.0 s"},
		{"comments with an empty line", at("", true, true, 15, 30, 45, 60), Options{}, report.Fail, "4 comment lines"},
		{"short run", at("ping", false, false, 1), Options{Quick: true}, report.Skip, "too short"},
		{"no stream", nil, Options{}, report.Skip, "not received"},
	} {
		s := newSession(&url.URL{Scheme: "http", Host: "x"}, description.Description{Silence: &description.Stream{Request: description.Request{Path: "/"}}, HeartbeatEvent: "ping"}, c.o.withDefaults())
		s.silence = c.rec
		f, err := checkHeartbeats(t.Context(), s)
		got := report.ResultOf("heartbeats", f, err, 0)
		if got.Status != c.want || !strings.Contains(got.Detail, c.why) {
			t.Errorf("%s: %s %q, want %s %q", c.name, got.Status, got.Detail, c.want, c.why)
		}
	}
}
