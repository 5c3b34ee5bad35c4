package mongo_test

import (
	"net"
	"sync"
	"testing"

	"github.com/aproorg/sluice/internal/emulate/mongo"
)

// TestEachConnectionIsToldOnce: as many times as the table of clients counts.
func TestEachConnectionIsToldOnce(t *testing.T) {
	var mu sync.Mutex
	told := map[string]int{}
	s := start(t, mongo.Config{Met: func(app string, remote net.Addr) {
		mu.Lock()
		defer mu.Unlock()
		told[app+" "+remote.String()]++
	}})
	if err := connect(t, s, "env-1").Client().Ping(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // nobody connects any more
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(told) == 0 || len(told) != s.Clients()[0].Total {
		t.Errorf("told of %v, counted %+v", told, s.Clients())
	}
	for who, times := range told {
		if times != 1 {
			t.Errorf("told %d times of %s", times, who)
		}
	}
}
