package rehearsal_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/librechattest"
	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox/sandboxtest"
	"github.com/aproorg/sluice/internal/emulate/llm"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/testdeps"
	"github.com/aproorg/sluice/internal/timeline"
)

var (
	chaosSeed  = flag.Uint64("seed", 1, "of the chaos tests' random choices")
	chaosChats = flag.Int("chats", 100, "of a chaos test")

	snapshotAge = flag.Duration("snapshot-age", 0, "of the chaos test with SnapStart")
)

// standInWorld rehearses the stand-in of a design, whose database is a directory
// that all environments share. It stands outside of /tmp, of which each
// environment has its own.
func standInWorld(t *testing.T, d facts.Design, change func(*rehearse.Config)) *world {
	t.Helper()
	return aroundStandIn(t, func(dir string) facts.Release { return librechattest.StandIn(t, dir, d) }, change)
}

// todayWorld is standInWorld with a release like those of today.
func todayWorld(t *testing.T, change func(*rehearse.Config)) *world {
	t.Helper()
	return aroundStandIn(t, func(dir string) facts.Release { return librechattest.Today(t, dir) }, change)
}

// eachStandIn runs a test with a stand-in of each design.
func eachStandIn(t *testing.T, change func(*rehearse.Config), run func(t *testing.T, w *world)) {
	for _, d := range []facts.Design{facts.StreamsInPost, facts.GeneratesAfterPost} {
		t.Run(d.String(), func(t *testing.T) { run(t, standInWorld(t, d, change)) })
	}
	t.Run("today", func(t *testing.T) { run(t, todayWorld(t, change)) })
}

func aroundStandIn(t *testing.T, write func(dir string) facts.Release, change func(*rehearse.Config)) *world {
	t.Helper()
	testdeps.Node(t)
	dir, err := os.MkdirTemp("/var/tmp", "sluice-standin-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return start(t, write(dir), map[string]string{librechattest.State: t.TempDir()}, func(cfg *rehearse.Config) {
		cfg.App.State = librechattest.State
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
	eachStandIn(t, remembering, func(t *testing.T, w *world) {
		c := chaos{chats: *chaosChats, readers: 6, usual: 2 * time.Second, patience: 3 * time.Second, every: 400 * time.Millisecond, limit: 4 * time.Minute}
		if testing.Short() {
			c.chats = min(c.chats, 20)
		}
		c.run(t, w)
	})
}

// TestChaosBuilt takes minutes: each kill costs a cold start of LibreChat.
func TestChaosBuilt(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		c := chaos{chats: *chaosChats, readers: 3, usual: 10 * time.Second, patience: time.Minute, every: 4 * time.Second, limit: 25 * time.Minute}
		c.run(t, start(t, r, nil, remembering))
		t.Run("page", func(t *testing.T) { c.onThePage(t, 5) })
	})
}

// TestChaosSnapStart is TestChaosBuilt with environments that are clones of a snapshot, of
// the age that -snapshot-age says. Beside what is lost it looks for ids that two of them
// made.
func TestChaosSnapStart(t *testing.T) {
	sandboxtest.NeedClones(t)
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		w := start(t, r, nil, func(cfg *rehearse.Config) {
			remembering(cfg)
			cfg.Start, cfg.SnapshotAge = rehearse.StartSnapStart, *snapshotAge
		})
		if !w.Snapshot.Clones {
			t.Fatalf("%+v", w.Snapshot)
		}
		c := chaos{chats: *chaosChats, readers: 6, usual: 3 * time.Second, patience: time.Minute, every: 2 * time.Second, limit: 25 * time.Minute}
		c.run(t, w)
		c.unique(t)
	})
}

// chaos is a record of chats by some readers at a time, while environments are
// recycled and killed at random moments.
type chaos struct {
	chats, readers int
	usual          time.Duration // the most that the first account takes on a machine that is idle, with the start of its environment
	patience       time.Duration // of a page whose answer does not come, by the steady clock
	every          time.Duration // between two ends of environments, in the mean
	limit          time.Duration // of all

	w     *world
	p     *person
	asks  []question
	saved []question // once they are judged
}

func (c *chaos) run(t *testing.T, w *world) {
	t.Logf("seed %d; to repeat its choices: -run '%s' -seed %d", *chaosSeed, t.Name(), *chaosSeed)
	begun := time.Now()
	t.Cleanup(func() {
		if t.Failed() {
			for _, e := range w.Lambda.Environments() {
				t.Logf("%s %s:\n%s", e.ID, e.State, w.diary(e.ID))
			}
		}
	})
	c.w, c.p = w, newPerson(t, w.ViewerURL, w.release.Design)
	// On a machine at work a start takes longer, and kills that do not wait for it hit nothing but starts.
	slow := max(1, time.Since(begun).Seconds()/c.usual.Seconds())
	c.every, c.patience = time.Duration(slow*float64(c.every)), time.Duration(slow*float64(c.patience))
	t.Logf("environments end %v apart, and a page waits for %v", c.every.Round(time.Second/10), c.patience.Round(time.Second))
	c.p.patient = c.patient
	ctx, cancel := context.WithTimeout(t.Context(), c.limit)
	defer cancel()
	// Stores are restarted between the quarters of the record, when no answer is
	// being generated: what Docker's LibreChat survives, so do environments.
	for quarter := range 4 {
		c.chat(ctx, quarter, c.chats/4)
		w.rest(t, c.leave)
		if err := w.chat.Stores.Redis.Restart(ctx); err != nil {
			t.Fatal(err)
		}
		if err := w.chat.Stores.Mongo.Restart(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if ctx.Err() != nil {
		t.Fatalf("not done within %v", c.limit)
	}
	c.judge(t)
}

// patient ends the reading of a stream once a generation that was killed has been
// silent for the patience. A page whose answer was generated waits ten times as
// long: the environments that it reads from are killed as well, and each costs it a
// cold start.
func (c *chaos) patient(ctx context.Context, request string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() { // ends with ctx
		defer cancel()
		for range 10 {
			once, end := c.w.clock.within(ctx, c.patience)
			<-once.Done()
			end()
			if ctx.Err() != nil || c.w.works()[request].killed {
				return
			}
		}
	}()
	return ctx, cancel
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
				q := c.p.ask(ctx, fmt.Sprintf("chat-%d-%03d [llm tokens=%d every=%dms first=%dms]", quarter, i,
					5+random.IntN(40), 5+random.IntN(20), 1+random.IntN(200)))
				mu.Lock()
				c.asks = append(c.asks, q)
				mu.Unlock()
				time.Sleep(time.Duration(random.IntN(150)) * time.Millisecond) // the person reads
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

// judge holds each chat against the fate of the environment that took its POST.
func (c *chaos) judge(t *testing.T) {
	works := c.w.works()
	model := c.w.answers()
	chats := map[string]bool{}
	var lost, refused, gaveUp int
	var froze []time.Duration
	for _, q := range c.asks {
		key := strings.Fields(q.text)[0]
		work, taken := works[q.request]
		chats[q.request] = true
		r, asked := model[key]
		switch has := c.has(t, q, r); {
		case has:
			c.saved = append(c.saved, q)
		case work.killed:
			lost++
		case !taken && !asked:
			refused++ // no environment took it, and the page says so
		default:
			t.Errorf("%s is lost, and nobody has killed %s, which had it; asked %v, the model %s at %s; its page saw: %v\n%s\n%s", key, work.environment, asked,
				r.Outcome, r.Ended.Format("05.000"), q.err, c.w.story(q.request), c.w.diary(work.environment))
		}
		if work.killed || !taken || !asked {
			continue
		}
		if !q.final && (c.p.design == facts.GeneratesAfterPost || q.err == nil) {
			if c.outlived(q) {
				t.Errorf("%s: its page never saw the end: %v\n%s", key, q.err, c.w.story(q.request))
				report(t, key+": what its page asked for", c.reads(q))
			} else {
				gaveUp++
			}
		}
		if title := c.p.conversation(t, q.conversation).Title; title == "" || title == "New Chat" {
			t.Errorf("%s: its title is %q, though nobody has killed %s", key, title, work.environment)
		}
		froze = append(froze, c.w.froze(t, key, work, c.w.finished(t, c.p, q)))
	}
	c.countFinished(t, model)
	if len(c.saved)+lost+refused != len(c.asks) || len(froze) == 0 {
		t.Fatalf("%d chats: %d saved, %d lost to a kill, %d refused", len(c.asks), len(c.saved), lost, refused)
	}
	t.Logf("%d chats: %d saved, %d lost to a kill in the middle of them, %d refused at once", len(c.asks), len(c.saved), lost, refused)
	t.Logf("%d pages gave up: every environment that they read from was killed; the answer is there when they return", gaveUp)
	tell(t, "froze after the last of answer, title and save", froze)
	c.w.readersFroze(t, chats)
	if lost == 0 && len(c.asks) >= 100 {
		t.Error("no kill has hit a generation: the test has proved nothing about kills")
	}
}

// unique looks at the ids of all that was saved: each is there once.
func (c *chaos) unique(t *testing.T) {
	t.Helper()
	places, ids := map[string]string{}, 0
	once := func(kind, id, place string) {
		if id == "" {
			return
		}
		ids++
		if other, ok := places[kind+id]; ok {
			t.Errorf("the %s %s is that of %s and of %s", kind, id, other, place)
		}
		places[kind+id] = place
	}
	for _, q := range c.saved {
		once("conversation", q.conversation, q.text)
		for i, m := range c.p.messages(t, q.conversation) {
			place := fmt.Sprintf("message %d of %.12s", i, q.text)
			once("message", m.MessageID, place)
			once("document", m.ID, place)
		}
	}
	if ids < 3*len(c.saved) {
		t.Errorf("%d conversations have only %d ids", len(c.saved), ids)
	}
	t.Logf("%d ids of %d conversations, each there once; answered by %d environments", ids, len(c.saved), len(c.environments()))
}

// environments are those that took a question.
func (c *chaos) environments() map[string]bool {
	all, works := map[string]bool{}, c.w.works()
	for _, q := range c.asks {
		all[works[q.request].environment] = true
	}
	return all
}

// has tells whether the whole answer is read through the API.
func (c *chaos) has(t *testing.T, q question, r llm.Request) bool {
	t.Helper()
	if q.conversation == "" || r.Answer == "" {
		return false
	}
	var text string
	err := c.p.again(t.Context(), func() (err error) { text, err = c.p.answer(t.Context(), q.conversation); return err })
	if err != nil && !strings.Contains(err.Error(), ": 404 ") { // a conversation that was killed before it was saved
		t.Errorf("%.12s: %v", q.text, err)
	}
	return strings.Contains(text, strings.TrimSpace(r.Answer))
}

// reads are a page's requests for the stream of its answer.
func (c *chaos) reads(q question) []timeline.Request {
	return slices.DeleteFunc(c.w.seen(), func(r timeline.Request) bool {
		return q.conversation == "" || !strings.Contains(r.Path, "/stream/"+q.conversation)
	})
}

// outlived tells whether the page read from an environment that nothing ended
// while it did.
func (c *chaos) outlived(q question) bool {
	events, _ := c.w.Recorder.Since(0)
	reads := c.reads(q)
	return len(reads) == 0 || slices.ContainsFunc(reads, func(r timeline.Request) bool {
		return !slices.ContainsFunc(events, func(e timeline.Event) bool {
			return e.Environment == r.Environment && (e.State == timeline.Killed || e.State == timeline.Shutdown) &&
				e.Time.After(r.Start) && e.Time.Before(r.Start.Add(r.Total+time.Second))
		})
	})
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
