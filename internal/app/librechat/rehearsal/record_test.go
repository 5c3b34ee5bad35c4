package rehearsal_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/emulate/llm"
	"github.com/aproorg/sluice/internal/testkit"
	"github.com/aproorg/sluice/internal/timeline"
)

// rest waits until no environment is at work, and calls meanwhile now and then.
func (w *world) rest(t testing.TB, meanwhile func()) {
	t.Helper()
	testkit.Wait(t, time.Minute, "all environments to come to rest", func() (string, bool) {
		meanwhile()
		var working []string
		for _, e := range w.Lambda.Environments() {
			if e.State != timeline.Frozen {
				working = append(working, e.ID+" "+string(e.State))
			}
		}
		return fmt.Sprintf("at work: %v", working), len(working) == 0
	})
}

// answers are the model's records by the first word of the question; "title " is
// before those of titles.
func (w *world) answers() map[string]llm.Request {
	found := map[string]llm.Request{}
	for _, r := range w.chat.Stores.Model.Requests() {
		at := strings.Index(r.Question, "chat-")
		if at < 0 {
			continue
		}
		key := strings.Fields(r.Question[at:])[0]
		if r.Title {
			key = "title " + key
		}
		found[key] = r
	}
	return found
}

// work is an invocation's fate.
type work struct {
	environment string
	killed      bool      // with its work
	responded   time.Time // the response's end
	rested      time.Time // what came next of the environment: it froze, ended or took another request
}

// works reads the record: each request's invocation, from its taking to what came
// next of its environment.
func (w *world) works() map[string]work {
	events, missed := w.Recorder.Since(0)
	if missed > 0 {
		panic(fmt.Sprintf("%d events are forgotten", missed))
	}
	works := map[string]work{}
	at := map[string]string{} // request by environment
	for _, e := range events {
		request := at[e.Environment]
		done := works[request]
		switch {
		case e.Kind == timeline.Invoke:
			if request != "" { // from one to the next without a freeze
				done.rested = e.Time
				works[request] = done
			}
			works[e.Request], at[e.Environment] = work{environment: e.Environment}, e.Request
		case e.Kind == timeline.EnvironmentState && request != "":
			if done.enter(e) {
				delete(at, e.Environment)
			}
			works[request] = done
		}
	}
	return works
}

// enter notes the next state of the environment, and tells whether the invocation is over.
func (w *work) enter(e timeline.Event) (over bool) {
	switch e.State {
	case timeline.Draining:
		w.responded = e.Time
		return false
	case timeline.Frozen, timeline.Shutdown:
		w.rested = e.Time
		return true
	case timeline.Killed:
		w.killed = true
		return true
	}
	return false
}

// latest is zero for none.
func latest(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// story is the log of the environment that took a request, for the reader of a failure.
func (w *world) story(request string) string { return w.diary(w.works()[request].environment) }

// diary is the end of an environment's log.
func (w *world) diary(environment string) string {
	var lines []string
	events, _ := w.Recorder.Since(0)
	for _, e := range events {
		if e.Environment == environment && (e.Kind == timeline.Log || e.Kind == timeline.EnvironmentState) {
			lines = append(lines, fmt.Sprintf("%s %s %s%.300s", e.Time.Format("05.000"), e.Environment, e.State, e.Note))
		}
	}
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}
