package chatapp_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/emulate/llm"
	"github.com/aproorg/sluice/internal/librechat"
	"github.com/aproorg/sluice/internal/librechat/librechattest"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/timeline"
)

var (
	chaosSeed  = flag.Uint64("seed", 1, "of the chaos tests' random choices")
	chaosChats = flag.Int("chats", 100, "of a chaos test")
)

// standInWorld rehearses the stand-in of a design, whose database is a directory
// that all environments share. It stands outside of /tmp, of which each
// environment has its own.
func standInWorld(t *testing.T, d librechat.Design, change func(*rehearse.Config)) *world {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("needs node: apt-get install nodejs")
	}
	dir, err := os.MkdirTemp("/var/tmp", "sluice-standin-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := librechattest.Write(dir, d); err != nil {
		t.Fatal(err)
	}
	r, err := librechat.Detect(dir)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, r, map[string]string{librechattest.State: t.TempDir()}, func(cfg *rehearse.Config) {
		at := cfg.AppAt
		cfg.AppAt = func(ctx context.Context, url string) (rehearse.App, error) {
			app, err := at(ctx, url)
			app.State = librechattest.State
			return app, err
		}
		if change != nil {
			change(cfg)
		}
	})
}

// remembering gives a rehearsal a record that forgets nothing of a long test.
func remembering(cfg *rehearse.Config) {
	cfg.Recorder, cfg.Concurrency = timeline.NewRecorder(1<<20), 16
}

func TestChaosStandIn(t *testing.T) {
	for _, d := range []librechat.Design{librechat.StreamsInPost, librechat.GeneratesAfterPost} {
		t.Run(d.String(), func(t *testing.T) {
			c := chaos{chats: *chaosChats, readers: 6, patience: 5 * time.Second, every: 400 * time.Millisecond, limit: 2 * time.Minute}
			if testing.Short() {
				c.chats = min(c.chats, 20)
			}
			c.run(t, standInWorld(t, d, remembering))
		})
	}
}

// TestChaosBuilt takes minutes: each kill costs a cold start of LibreChat.
func TestChaosBuilt(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r librechat.Release) {
		c := chaos{chats: *chaosChats, readers: 3, patience: time.Minute, every: 4 * time.Second, limit: 25 * time.Minute}
		c.run(t, start(t, r, nil, remembering))
	})
}

// chaos is a record of chats by some readers at a time, while environments are
// recycled and killed at random moments.
type chaos struct {
	chats, readers int
	patience       time.Duration // of a page whose answer does not come
	every          time.Duration // between two ends of environments, in the mean
	limit          time.Duration // of all

	w    *world
	p    *person
	asks []question
}

func (c *chaos) run(t *testing.T, w *world) {
	t.Logf("seed %d; to repeat its choices: -run '%s' -seed %d", *chaosSeed, t.Name(), *chaosSeed)
	c.w, c.p = w, newPerson(t, w.ViewerURL, w.release.Design)
	ctx, cancel := context.WithTimeout(t.Context(), c.limit)
	defer cancel()
	// Stores are restarted between the quarters of the record, when no answer is
	// being generated: what Docker's LibreChat survives, so do environments.
	for quarter := range 4 {
		c.chat(ctx, quarter, c.chats/4)
		w.rest(t, c.leave)
		if err := w.chat.Stores().Redis.Restart(ctx); err != nil {
			t.Fatal(err)
		}
		if err := w.chat.Stores().Mongo.Restart(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if ctx.Err() != nil {
		t.Fatalf("not done within %v", c.limit)
	}
	c.judge(t)
}

// chat asks n questions while environments end.
func (c *chaos) chat(ctx context.Context, quarter, n int) {
	stop := make(chan struct{})
	var ending, asking sync.WaitGroup
	ending.Go(func() { c.end(rand.New(rand.NewPCG(*chaosSeed, uint64(quarter))), stop) })
	var mu sync.Mutex
	for reader := range c.readers {
		random := rand.New(rand.NewPCG(*chaosSeed, uint64(1000+10*quarter+reader)))
		asking.Go(func() {
			for i := reader; i < n && ctx.Err() == nil; i += c.readers {
				patient, cancel := context.WithTimeout(ctx, c.patience)
				q := c.p.ask(patient, fmt.Sprintf("chat-%d-%03d [llm tokens=%d every=%dms first=%dms]", quarter, i,
					5+random.IntN(40), 5+random.IntN(20), 1+random.IntN(200)))
				cancel()
				mu.Lock()
				c.asks = append(c.asks, q)
				mu.Unlock()
				time.Sleep(time.Duration(random.IntN(150)) * time.Millisecond)
			}
		})
	}
	asking.Wait()
	close(stop)
	ending.Wait()
}

// end recycles and kills environments, one at a time: half of the kills hit one
// that is at work, if there is any.
func (c *chaos) end(random *rand.Rand, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration((0.5 + random.Float64()) * float64(c.every))):
		}
		choice, at := random.IntN(4), random.Float64()
		all := c.w.Lambda.Environments()
		working := slices.Clone(all)
		for i := len(working) - 1; i >= 0; i-- {
			if s := working[i].State; s != timeline.Busy && s != timeline.Draining {
				working = slices.Delete(working, i, i+1)
			}
		}
		if choice == 0 && len(working) > 0 {
			all = working
		}
		if len(all) == 0 {
			continue
		}
		id := all[int(at*float64(len(all)))].ID
		if choice < 2 {
			c.w.Lambda.Kill(id)
		} else {
			c.w.Lambda.Recycle(id)
		}
	}
}

// leave ends the environments that wait, on behalf of readers who have gone, for
// events of a generation that was killed. Without it they wait until their time is
// over, as on Lambda, to which no gateway tells that a reader has gone.
func (c *chaos) leave() {
	chats := map[string]bool{}
	for _, q := range c.asks {
		chats[q.request] = true
	}
	for request, work := range c.w.works() {
		if !chats[request] && !work.killed && work.rested.IsZero() {
			c.w.Lambda.Kill(work.environment)
		}
	}
}

// rest waits until no environment is at work, and calls meanwhile now and then.
func (w *world) rest(t testing.TB, meanwhile func()) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		meanwhile()
		var working []string
		for _, e := range w.Lambda.Environments() {
			if e.State != timeline.Frozen {
				working = append(working, e.ID+" "+string(e.State))
			}
		}
		if len(working) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("environments are still at work: %v", working)
		}
	}
}

// judge holds each chat against the fate of the environment that took its POST.
func (c *chaos) judge(t *testing.T) {
	works := c.w.works()
	model := c.w.answers()
	var saved, lost, refused int
	var late []time.Duration
	for _, q := range c.asks {
		work, taken := works[q.request]
		r, asked := model[strings.Fields(q.text)[0]]
		switch has := c.has(t, q, r); {
		case has:
			saved++
		case work.killed:
			lost++
		case !taken && !asked:
			refused++ // no environment took it, and the page says so
		default:
			t.Errorf("%.12s is lost, and nobody has killed %s, which had it; asked %v, the model %s; its page saw: %v\n%s", q.text, work.environment, asked, r.Outcome, q.err, c.w.story(q.request))
		}
		if !q.final && !work.killed && taken && (c.p.design == librechat.GeneratesAfterPost || q.err == nil) {
			t.Errorf("%.12s: its page never saw the end: %v\n%s", q.text, q.err, c.w.story(q.request))
		}
		if !work.killed && !work.rested.IsZero() && asked {
			late = append(late, work.rested.Sub(later(r.Ended, model["title "+strings.Fields(q.text)[0]].Ended)))
		}
	}
	c.countFinished(t, model)
	slices.Sort(late)
	if saved+lost+refused != len(c.asks) || len(late) == 0 {
		t.Fatalf("%d chats: %d saved, %d lost to a kill, %d refused", len(c.asks), saved, lost, refused)
	}
	t.Logf("%d chats: %d saved, %d lost to a kill in the middle of them, %d refused at once; from the model's last word to the freeze p50 %v, p90 %v, most %v",
		len(c.asks), saved, lost, refused, late[len(late)/2].Round(time.Millisecond), late[len(late)*9/10].Round(time.Millisecond), late[len(late)-1].Round(time.Millisecond))
	if lost == 0 && len(c.asks) >= 100 {
		t.Error("no kill has hit a generation: the test has proved nothing about kills")
	}
	if half := late[len(late)/2]; half > time.Second {
		t.Errorf("half of the environments froze later than %v after the model's last word, want within a second", half)
	}
}

// has tells whether the whole answer is read through the API.
func (c *chaos) has(t *testing.T, q question, r llm.Request) bool {
	t.Helper()
	if q.conversation == "" || r.Answer == "" {
		return false
	}
	var text string
	var err error
	for range 3 { // a request can meet an environment that is being restarted
		if text, err = c.p.answer(t.Context(), q.conversation); err == nil {
			break
		}
	}
	if err != nil && !strings.Contains(err.Error(), ": 404 ") { // a conversation that was killed before it was saved
		t.Errorf("%.12s: %v", q.text, err)
	}
	return strings.Contains(text, strings.TrimSpace(r.Answer))
}

// countFinished tells how the model saw it: a question that it was never asked is
// none of this test's.
func (c *chaos) countFinished(t *testing.T, model map[string]llm.Request) {
	count := map[llm.Outcome]int{}
	for key, r := range model {
		if !strings.HasPrefix(key, "title ") {
			count[r.Outcome]++
		}
	}
	t.Logf("the model's answers: %v", count)
}

// answers are the model's records by the first word of the question; "title " is
// before those of titles.
func (w *world) answers() map[string]llm.Request {
	found := map[string]llm.Request{}
	for _, r := range w.chat.Stores().Model.Requests() {
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
	killed      bool // with its work
	rested      time.Time
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
		switch request := at[e.Environment]; {
		case e.Kind == timeline.Invoke:
			if request != "" && works[request].rested.IsZero() { // from one to the next without a freeze
				done := works[request]
				done.rested = e.Time
				works[request] = done
			}
			works[e.Request], at[e.Environment] = work{environment: e.Environment}, e.Request
		case e.Kind == timeline.EnvironmentState && request != "":
			done := works[request]
			switch e.State {
			case timeline.Frozen, timeline.Shutdown:
				done.rested = e.Time
			case timeline.Killed:
				done.killed = done.rested.IsZero()
			default:
				continue
			}
			works[request] = done
			delete(at, e.Environment)
		}
	}
	return works
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// story is the log of the environment that took a request, for the reader of a failure.
func (w *world) story(request string) string {
	environment, lines := w.works()[request].environment, []string{}
	events, _ := w.Recorder.Since(0)
	for _, e := range events {
		if e.Environment == environment && (e.Kind == timeline.Log || e.Kind == timeline.EnvironmentState) {
			lines = append(lines, fmt.Sprintf("%s %s %s%.300s", e.Time.Format("05.000"), e.Environment, e.State, e.Note))
		}
	}
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}
