package rehearsal_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/rehearsal"
	"github.com/aproorg/sluice/internal/testkit"
)

// TestOutageStandIn: what a stand-in loses when Redis is restarted or its
// environment killed in the middle of an answer is what it loses as one process
// that is always on, such as Docker's. Its database is a directory, which cannot
// be restarted.
func TestOutageStandIn(t *testing.T) {
	for _, d := range []facts.Design{facts.StreamsInPost, facts.GeneratesAfterPost} {
		t.Run(d.String(), func(t *testing.T) {
			o := outages{w: standInWorld(t, d, remembering), patience: 20 * time.Second, limit: time.Minute}
			o.run(t, "redis", "kill")
		})
	}
}

// TestOutageBuilt is the same with real releases, and with Mongo.
func TestOutageBuilt(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		o := outages{w: start(t, r, nil, remembering), patience: 90 * time.Second, limit: 3 * time.Minute}
		o.run(t, "redis", "mongo", "kill")
	})
}

// outages compares a rehearsed app with itself as one process, on the same
// stores, which fail both at the same moment.
type outages struct {
	w        *world
	patience time.Duration // of a page whose answer does not come
	limit    time.Duration // of the work on it

	restart func(context.Context) error // of Redis; nil is the embedded one's

	process *rehearsal.Alone
	front   front
	people  map[string]*person // by side
}

// The sides that are compared.
const (
	rehearsed = "rehearsed"
	alone     = "alone"
)

// front is where people reach the process, whichever it is at the time.
type front struct{ target atomic.Pointer[url.URL] }

// unkept opens a connection for each request: Node closes an idle one after 5 s,
// and a POST that meets this is lost.
var unkept = &http.Transport{DisableKeepAlives: true}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	proxy := &httputil.ReverseProxy{FlushInterval: -1, Transport: unkept, Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(f.target.Load()) },
		ErrorLog: log.New(io.Discard, "", 0), ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }}
	proxy.ServeHTTP(w, r)
}

func (o *outages) run(t *testing.T, blows ...string) {
	o.startProcess(t)
	t.Cleanup(func() { o.process.Close() })
	server := httptest.NewServer(&o.front)
	t.Cleanup(server.Close)
	d := o.w.release.Design
	o.people = map[string]*person{rehearsed: newPerson(t, o.w.ViewerURL, d), alone: newPerson(t, server.URL, d)}
	for _, blow := range blows {
		t.Run(blow, func(t *testing.T) { o.compare(t, blow) })
	}
}

// startProcess runs the app outside of the path, without the script that
// rehearsed ones and those on Lambda load.
func (o *outages) startProcess(t *testing.T) {
	t.Helper()
	var err error
	if o.process, err = o.w.chat.Alone(context.Background(), rehearsal.AloneConfig{Env: map[string]string{"NODE_OPTIONS": ""}}); err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(o.process.URL)
	if err != nil {
		t.Fatal(err)
	}
	o.front.target.Store(target)
}

// loss is what is left of a chat after a blow.
type loss struct {
	Question bool // is in the database
	Answer   int  // 0 none of it is, 1 a part, 2 all
	Final    bool // the page has seen its end
	ended    bool // the page is not waiting any more
	err      error
}

func (l loss) String() string {
	page := "sees its end"
	switch {
	case !l.ended:
		page = "waits"
	case !l.Final:
		page = "sees an error"
	}
	return fmt.Sprintf("%s of the answer is saved (question saved: %v), the page %s", [...]string{"none", "a part", "all"}[l.Answer], l.Question, page)
}

// compare strikes both in the middle of an answer. Afterwards both chat again.
func (o *outages) compare(t *testing.T, blow string) {
	asked := o.ask(t, blow, "[llm tokens=40 every=100ms first=100ms]", func() { o.strike(t, blow) })
	got := map[string]loss{}
	for side, q := range asked {
		got[side] = o.lost(t, side, q)
		t.Logf("%s, %s: %v (%v)", blow, side, got[side], got[side].err)
	}
	mine, docker := got[rehearsed], got[alone]
	if docker.Question && !mine.Question || mine.Answer < docker.Answer || docker.Final && !mine.Final {
		t.Errorf("the rehearsed one has lost more than one process does\n%s", o.w.story(asked[rehearsed].request))
	}
	if !mine.ended && docker.ended {
		t.Errorf("the page still waits after %v, and one of Docker's does not", o.patience)
	}
	for side, q := range o.ask(t, blow+"-after", "[llm tokens=5 every=10ms first=10ms]", func() {}) {
		if l := o.lost(t, side, q); l.Answer != 2 || !l.Final {
			t.Errorf("the next chat, %s: %v (%v)", side, l, l.err)
		}
	}
}

// ask asks both sides, and calls during once both answers are under way.
func (o *outages) ask(t *testing.T, name, pace string, during func()) map[string]question {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), o.limit)
	defer cancel()
	patient, cancelPatient := context.WithCancel(ctx)
	defer cancelPatient()
	type asked struct {
		side string
		q    question
	}
	done := make(chan asked, len(o.people))
	for side, p := range o.people {
		go func() { done <- asked{side, p.ask(patient, fmt.Sprintf("chat-%s-%s %s", name, side, pace))} }()
	}
	all := map[string]question{}
	take := func(a asked) { all[a.side] = a.q }
	for side := range o.people {
		for o.w.answers()["chat-"+name+"-"+side].Sent < 3 {
			select {
			case a := <-done:
				if take(a); a.q.err != nil {
					t.Fatalf("%s: the chat failed before both were under way: %v", a.side, a.q.err)
				}
			case <-ctx.Done():
				t.Fatalf("%s: the model was not asked within %v", side, o.limit)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	during()
	defer time.AfterFunc(o.patience, cancelPatient).Stop() // from here on, however long a cold start has taken
	for len(all) < len(o.people) {
		take(<-done)
	}
	return all
}

// strike does the damage.
func (o *outages) strike(t *testing.T, blow string) {
	stores := o.w.chat.Stores
	redis := o.restart
	if redis == nil {
		redis = stores.Redis.Restart
	}
	var err error
	switch blow {
	case "redis":
		err = redis(t.Context())
	case "mongo":
		err = stores.Mongo.Restart(t.Context())
	case "kill":
		o.kill(t)
	}
	if err != nil {
		t.Error(err)
	}
}

// kill ends the environment that has taken the POST, and the process, as a
// container is killed; the latter is started again, as Docker does.
func (o *outages) kill(t *testing.T) {
	killed := false
	for _, e := range o.w.Lambda.Environments() {
		work, _ := o.w.Lambda.Work(e.ID)
		if work.Method == http.MethodPost && strings.HasPrefix(work.Path, "/api/agents/chat") {
			killed = o.w.Lambda.Kill(e.ID)
		}
	}
	if !killed {
		t.Error("no environment is at work on the chat")
	}
	if err := syscall.Kill(o.process.PID, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	o.process.Close()
	o.startProcess(t)
}

// lost looks into the database once the answer is over.
func (o *outages) lost(t *testing.T, side string, q question) loss {
	t.Helper()
	l := loss{Final: q.final, ended: !errors.Is(q.err, context.Canceled), err: q.err}
	record := o.settled(t, q)
	if q.conversation == "" {
		return l
	}
	testkit.Until(10*time.Second, func() bool {
		text, err := o.people[side].answer(t.Context(), q.conversation)
		l.Question = err == nil // a conversation is not there without its question
		switch {
		case strings.Contains(text, strings.TrimSpace(record)):
			l.Answer = 2
		case text != "":
			l.Answer = 1
		}
		return l.Answer == 2
	})
	return l
}

// settled waits until the model and the environments are done, and returns the
// whole answer.
func (o *outages) settled(t *testing.T, q question) string {
	t.Helper()
	key := strings.Fields(q.text)[0]
	testkit.Wait(t, o.limit, key+": the model's last word", func() (string, bool) {
		answer := o.w.answers()[key]
		return fmt.Sprintf("%+v", answer), !answer.Ended.IsZero()
	})
	return o.w.answers()[key].Answer
}
