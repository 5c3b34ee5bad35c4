package mongo_test

import (
	"fmt"
	"net"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/emulate/mongo"
	"github.com/aproorg/sluice/internal/emulate/mongo/guard"
)

// TestFindingsNameTheirCallers: one line for each caller, and no flood.
func TestFindingsNameTheirCallers(t *testing.T) {
	const callers = 20
	var mu sync.Mutex
	var at int // what the client is about
	var reported []guard.Finding
	s := start(t, mongo.Config{
		Strict: true,
		Finding: func(f guard.Finding) {
			mu.Lock()
			defer mu.Unlock()
			reported = append(reported, f)
		},
		Caller: func(app string, remote net.Addr) func() guard.Caller {
			if app != "env-7" || remote.(*net.TCPAddr).Port == 0 {
				t.Errorf("asked about %q at %v", app, remote)
			}
			return func() guard.Caller {
				mu.Lock()
				defer mu.Unlock()
				return guard.Caller{What: fmt.Sprintf("GET /%d", at), Request: "r"}
			}
		},
	})
	db := connect(t, s, "env-7")
	for i := range callers {
		mu.Lock()
		at = i
		mu.Unlock()
		for range 2 {
			if err := db.RunCommand(t.Context(), bson.D{{Key: "mapReduce", Value: "x"}}).Err(); err == nil {
				t.Fatal("mapReduce was not refused")
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	found := s.Findings()
	if len(found) != 1 || found[0].Count != 2*callers || len(found[0].Callers) == 0 || len(found[0].Callers) != len(reported) {
		t.Fatalf("%d reports of %+v", len(reported), found)
	}
	if len(reported) >= callers {
		t.Errorf("%d reports of one feature are a flood", len(reported))
	}
	for i, f := range reported {
		if got, want := f.Callers[len(f.Callers)-1].What, fmt.Sprintf("GET /%d", i); got != want {
			t.Errorf("report %d is of %q, want %q", i, got, want)
		}
	}
	if got := fmt.Sprint(reported[1]); got != "mapReduce on chat.x by env-7 from GET /1: command mapReduce refused by DocumentDB 5.0 (the command is not supported)" {
		t.Errorf("a report reads %q", got)
	}
}
