package supervise

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/hint"
)

// TestReadiness of apps whose path answers with a status that 2xx-3xx leaves out, or never answers.
func TestReadiness(t *testing.T) {
	missing := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }
	hangs := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for _, test := range []struct {
		name   string
		app    http.HandlerFunc
		path   string
		status func(int) bool
		unsure string // what the error says; empty is ready
	}{
		{"404 by default", missing, "/up", nil, "GET /up answered 404 Not Found for "},
		{"404 accepted", missing, "/up", func(s int) bool { return s == 404 }, ""},
		{"404 and another accepted", missing, "/up", func(s int) bool { return s == 200 }, "answered 404"},
		{"the port alone", hangs, "", nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := config(t, "sleep 60")
			cfg.ReadyPath, cfg.ReadyStatus = test.path, test.status
			l, err := net.Listen("tcp", cfg.Address)
			if err != nil {
				t.Fatal(err)
			}
			server := &http.Server{Handler: test.app}
			go func() { _ = server.Serve(l) }()
			defer server.Close()
			app := New(cfg)
			go func() { _ = app.Run(t.Context()) }()
			err = app.Ready(t.Context())
			if test.unsure == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrStart) || !strings.Contains(err.Error(), test.unsure) {
				t.Errorf("%v, want %q in it", err, test.unsure)
			}
			if advice := hint.Of(err); !strings.Contains(advice, "SLUICE_READY_STATUS") || !strings.Contains(advice, "SLUICE_READY_PATH=tcp") {
				t.Errorf("advice %q", advice)
			}
		})
	}
}
