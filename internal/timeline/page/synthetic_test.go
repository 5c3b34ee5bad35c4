package page_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aproorg/sluice/internal/timeline"
)

// synthetic writes a made-up rehearsal into a recorder: a login's burst, chats
// that stream, work after the response, errors. Its randomness is seeded.
type synthetic struct {
	recorder *timeline.Recorder
	random   *rand.Rand
	requests int
}

func newSynthetic(recorder *timeline.Recorder) *synthetic {
	return &synthetic{recorder: recorder, random: rand.New(rand.NewPCG(1, 2))}
}

func (s *synthetic) ms(low, high int) time.Duration {
	return time.Duration(low*1000+s.random.IntN(1000*(high-low)+1)) * time.Microsecond
}

// environment is a lane that is written from left to right.
type environment struct {
	*synthetic
	id string
	at time.Time
}

func (s *synthetic) environment(n int, at time.Time) *environment {
	return &environment{s, fmt.Sprintf("env-%d", n), at}
}

func (e *environment) state(state timeline.State, note string) {
	e.recorder.Record(timeline.Event{Time: e.at, Kind: timeline.EnvironmentState, Environment: e.id, State: state, Note: note})
}

func (e *environment) step(name string, took time.Duration) {
	e.recorder.Record(timeline.Event{Time: e.at, Kind: timeline.EnvironmentStep, Environment: e.id, Note: name, Took: took})
}

func (e *environment) log(line string) {
	e.recorder.Record(timeline.Event{Time: e.at, Kind: timeline.Log, Environment: e.id, Note: line})
}

// request is one API call: init is the cold start before it (0 is warm), chunks
// its stream, work what goes on after it.
type call struct {
	method, path string
	status       int
	init         time.Duration
	chunks       int
	pace         time.Duration
	work         time.Duration
	open         bool // it has not ended
	fault        string
}

func (e *environment) serve(c call) {
	e.requests++
	id := fmt.Sprintf("Syn%04dxvQ3==", e.requests)
	hops := []timeline.Hop{timeline.CloudFront, timeline.APIGateway, timeline.Lambda}
	event := func(kind timeline.Kind, hop timeline.Hop) timeline.Event {
		return timeline.Event{Time: e.at, Kind: kind, Hop: hop, Request: id}
	}
	for _, hop := range hops {
		ev := event(timeline.RequestStart, hop)
		ev.Method, ev.Path = c.method, c.path
		e.recorder.Record(ev)
		e.at = e.at.Add(e.ms(0, 1))
	}
	if c.init > 0 {
		e.state(timeline.Init, "")
		e.log("listening on 127.0.0.1:3080")
		e.at = e.at.Add(40 * time.Millisecond)
		e.step("secrets", 30*time.Millisecond)
		e.at = e.at.Add(c.init - 40*time.Millisecond)
		e.step("listen", 0)
	}
	ev := event(timeline.Invoke, "")
	ev.Environment, ev.Invocation = e.id, "8c6d6b3e-0000-4000-8000-"+id[3:7]
	e.recorder.Record(ev)
	e.state(timeline.Busy, "")
	e.at = e.at.Add(e.ms(4, 60))
	for i := range c.chunks {
		for h := len(hops) - 1; h >= 0; h-- {
			if i == 0 {
				ev := event(timeline.RequestFirstByte, hops[h])
				ev.Status = c.status
				e.recorder.Record(ev)
			}
			ev := event(timeline.RequestChunk, hops[h])
			ev.Bytes = int64(40 + e.random.IntN(200))
			e.recorder.Record(ev)
			e.at = e.at.Add(150 * time.Microsecond)
		}
		e.at = e.at.Add(c.pace + e.ms(0, 6))
	}
	if c.open {
		return
	}
	for h := len(hops) - 1; h >= 0; h-- {
		ev := event(timeline.RequestEnd, hops[h])
		ev.Status, ev.Error = c.status, c.fault
		e.recorder.Record(ev)
		e.at = e.at.Add(80 * time.Microsecond)
	}
	if c.work > 0 {
		e.state(timeline.Draining, "")
		e.log("saved the conversation")
		e.at = e.at.Add(c.work)
	}
	e.state(timeline.Frozen, "")
}

// page loads an asset of the site, from the bucket or the edge's cache.
func (s *synthetic) asset(at time.Time, path string, cached bool) {
	s.requests++
	id := fmt.Sprintf("Syn%04dxvQ3==", s.requests)
	record := func(kind timeline.Kind, hop timeline.Hop, bytes int64, note string) {
		s.recorder.Record(timeline.Event{Time: at, Kind: kind, Hop: hop, Request: id, Method: "GET", Path: path, Status: 200, Bytes: bytes, Note: note})
	}
	record(timeline.RequestStart, timeline.CloudFront, 0, "")
	at = at.Add(s.ms(0, 1))
	note := "Hit from cloudfront"
	if !cached {
		note = "Miss from cloudfront"
		record(timeline.RequestStart, timeline.S3, 0, "")
		at = at.Add(s.ms(2, 9))
		record(timeline.RequestFirstByte, timeline.S3, 0, "")
		record(timeline.RequestChunk, timeline.S3, 31000, "")
	}
	record(timeline.RequestFirstByte, timeline.CloudFront, 0, "")
	record(timeline.RequestChunk, timeline.CloudFront, 31000, "")
	at = at.Add(s.ms(1, 3))
	if !cached {
		record(timeline.RequestEnd, timeline.S3, 31000, "")
	}
	record(timeline.RequestEnd, timeline.CloudFront, 31000, note)
}

// day is what a login and some chats look like over the last 19 seconds, in as
// many environments as asked for.
func (s *synthetic) day(now time.Time, environments int) {
	start := now.Add(-19 * time.Second)
	for i, path := range []string{"/", "/assets/index.4f2a.js", "/assets/vendor.99d1.js", "/assets/style.77aa.css", "/assets/logo.svg"} {
		s.asset(start.Add(time.Duration(i)*14*time.Millisecond), path, i > 2)
	}
	paths := []string{"/api/config", "/api/auth/refresh", "/api/user", "/api/endpoints", "/api/models", "/api/convos?limit=25", "/api/files", "/api/presets", "/api/balance", "/api/prompts/groups"}
	for n := range environments {
		e := s.environment(n+1, start.Add(400*time.Millisecond+time.Duration(n)*11*time.Millisecond))
		e.serve(call{"GET", paths[n%len(paths)], 200, s.ms(620, 1500), 1, 0, 0, false, ""})
		for range s.random.IntN(4) {
			e.at = e.at.Add(s.ms(80, 1500))
			e.serve(call{"GET", paths[s.random.IntN(len(paths))], 200, 0, 1 + s.random.IntN(3), 4 * time.Millisecond, 0, false, ""})
		}
		switch n % 7 {
		case 0:
			e.at = e.at.Add(s.ms(300, 2500))
			e.serve(call{"POST", "/api/agents/chat", 200, 0, 60, 55 * time.Millisecond, s.ms(700, 2600), false, ""})
		case 2:
			e.at = e.at.Add(s.ms(1500, 3500))
			e.serve(call{"GET", "/api/agents/chat/stream/8f1e", 200, 0, 110, 48 * time.Millisecond, 0, n == 2, ""})
		case 3:
			e.at = e.at.Add(s.ms(2500, 6000))
			e.serve(call{"POST", "/api/files/images", 502, 0, 1, 0, 0, false, "the app closed the connection"})
			e.state(timeline.Killed, "the runtime exited with status 1")
		case 5:
			e.at = e.at.Add(s.ms(1500, 3000))
			e.state(timeline.Shutdown, "recycled")
			e.at = e.at.Add(320 * time.Millisecond)
			e.state(timeline.Killed, "recycled")
		}
	}
	s.recorder.Record(timeline.Event{Time: now, Kind: timeline.Store, Note: "mongo: aggregate on prompts: DocumentDB refuses $lookup with let"})
	next := environments + 1
	e := s.environment(next, now.Add(-900*time.Millisecond))
	e.recorder.Record(timeline.Event{Time: e.at, Kind: timeline.RequestStart, Hop: timeline.CloudFront, Request: "SynOpen", Method: "POST", Path: "/api/agents/chat"})
	e.recorder.Record(timeline.Event{Time: e.at, Kind: timeline.RequestStart, Hop: timeline.APIGateway, Request: "SynOpen"})
	e.recorder.Record(timeline.Event{Time: e.at, Kind: timeline.RequestStart, Hop: timeline.Lambda, Request: "SynOpen"})
	e.state(timeline.Init, "")
}
