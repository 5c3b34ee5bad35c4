package supervise

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestStepsAreLogged: an app that answers 503 for a while listens once and is ready later.
func TestStepsAreLogged(t *testing.T) {
	cfg := config(t, "sleep 60")
	l, err := net.Listen("tcp", cfg.Address)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	log := &buffer{}
	cfg.Logger, cfg.Attempts = slog.New(slog.NewJSONHandler(log, nil)), 1000
	app := New(cfg)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	done := make(chan error)
	go func() { done <- app.Run(ctx) }()
	if err := app.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-done
	var logged []string
	for line := range strings.Lines(log.String()) {
		var l struct{ Msg, Step, Took string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		took, err := time.ParseDuration(l.Took)
		if l.Msg != "app start" || err != nil {
			t.Errorf("line %s: %v", line, err)
		}
		if l.Step == "ready" && took < cfg.Interval/2 {
			t.Errorf("ready %v after it listened, but the first probe was refused", took)
		}
		logged = append(logged, l.Step)
	}
	if diff := cmp.Diff([]string{"spawn", "listen", "ready"}, logged); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}
