package rehearsal_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/rehearsal"
	"github.com/aproorg/sluice/internal/rehearse"
)

func TestBudgetIsToldWithItsBounds(t *testing.T) {
	b := rehearsal.Budget{Environments: 3, Mongo: 10, Redis: 9, MostMongo: 6, MostRedis: 3}
	const want = "connections: each of 3 environments held 3.3 to Mongo (at most 6) and 3.0 to Redis (at most 3); 100 would hold 333 (at most 600) and 300 (at most 300)"
	if got := b.For(100); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	b.Redis = -1
	if got, want := b.For(10), "connections: each of 3 environments held 3.3 to Mongo (at most 6); 10 would hold 33 (at most 60)"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := (rehearsal.Budget{}).For(10); got != "" {
		t.Errorf("of no environments it says %q", got)
	}
}

// burst are calls that a page makes at once, some with several queries to the database.
var burst = []string{"/api/user", "/api/convos", "/api/files", "/api/agents?requiredPermission=1", "/api/prompts/groups?limit=10", "/api/presets"}

// TestBuiltConnectionsStayInTheirBudget counts an environment's connections after its
// boot, after chats, and after a burst.
func TestBuiltConnectionsStayInTheirBudget(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		w := start(t, r, nil, func(cfg *rehearse.Config) { cfg.Concurrency = 3 })
		others := w.chat.Budget(0) // of what is no environment, and goes away
		p := newPerson(t, w.ViewerURL, r.Design)
		w.within(t, "boot and login", others)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		for range 3 {
			if q := p.ask(ctx, "count [llm tokens=20 rate=50]"); q.err != nil {
				t.Fatal(q.err)
			}
		}
		w.within(t, "chats", others)
		var all sync.WaitGroup
		for range 3 {
			for _, path := range burst {
				all.Go(func() { _ = p.call(ctx, http.MethodGet, path, nil, nil) }) // some are throttled: there are three environments
			}
		}
		all.Wait()
		w.within(t, "a burst", others)
	})
}

// within compares the connections of this moment with their bounds.
func (w *world) within(t *testing.T, after string, others rehearsal.Budget) {
	t.Helper()
	n := len(w.environments())
	b := w.chat.Budget(n)
	t.Logf("after %s: %s", after, b.For(100))
	if b.Mongo < n || b.Mongo > n*b.MostMongo {
		t.Errorf("after %s %d environments hold %d connections to Mongo, want at most %d each", after, n, b.Mongo, b.MostMongo)
	}
	if b.Redis < n || b.Redis > n*b.MostRedis+others.Redis {
		t.Errorf("after %s %d environments hold %d connections to Redis, want at most %d each", after, n, b.Redis, b.MostRedis)
	}
}
