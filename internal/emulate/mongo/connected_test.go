package mongo_test

import (
	"net"
	"sync"
	"testing"

	"github.com/aproorg/sluice/internal/emulate/mongo"
)

// TestEachConnectionIsReportedOnce: as many times as the table of clients counts.
func TestEachConnectionIsReportedOnce(t *testing.T) {
	var mu sync.Mutex
	times := map[string]int{}
	s := start(t, mongo.Config{Connected: func(app string, remote net.Addr) {
		mu.Lock()
		defer mu.Unlock()
		times[app+" "+remote.String()]++
	}})
	if err := connect(t, s, "env-1").Client().Ping(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // nobody connects any more
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(times) == 0 || len(times) != s.Clients()[0].Total {
		t.Errorf("called for %v, counted %+v", times, s.Clients())
	}
	for who, n := range times {
		if n != 1 {
			t.Errorf("called %d times for %s", n, who)
		}
	}
}
