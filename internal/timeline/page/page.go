// Package page shows a timeline in a browser while it happens: a lane per
// execution environment, each request's way through the hops with its first byte
// and every chunk, and what cold starts cost. The page is one document with no
// framework and nothing from the network, fed by server-sent events.
//
// It leaves out the record itself (package timeline) and all judgement of it:
// what counts as a cold start is decided in the page's model.js.
package page

import (
	"embed"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/aproorg/sluice/internal/loopback"
	"github.com/aproorg/sluice/internal/timeline"
)

//go:embed static
var static embed.FS

// Config says what a page shows and what its buttons do.
type Config struct {
	Recorder *timeline.Recorder
	Info     Info

	// Recycle shuts an environment down once it has done its work, Kill at once.
	// Without them the page has no such button.
	Recycle func(environment string) error
	Kill    func(environment string) error

	Logger *slog.Logger // nil drops what goes wrong between page and browser
}

// Info is what the page tells of the rehearsal as a whole.
type Info struct {
	Title       string `json:"title"`       // the app, e.g. demo
	ViewerURL   string `json:"viewerURL"`   // where the app is reached
	MemorySize  int    `json:"memorySize"`  // MB per environment
	Concurrency int    `json:"concurrency"` // most environments at a time
}

// page is a Config as a handler.
type page struct {
	Config
	started time.Time // zero of the times sent to the browser
}

// New returns the page's handler. Its feeds end with their requests' contexts:
// give the server a BaseContext and cancel it before Shutdown.
func New(config Config) http.Handler {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	p := &page{Config: config, started: time.Now()}
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // the embedded directory's name is a constant
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /info", p.info)
	mux.HandleFunc("GET /events", p.events)
	mux.HandleFunc("POST /environments/{environment}/recycle", p.act(config.Recycle))
	mux.HandleFunc("POST /environments/{environment}/kill", p.act(config.Kill))
	return guard(mux)
}

// guard keeps other sites out: besides what package loopback does, they may not
// frame the page.
func guard(next http.Handler) http.Handler {
	return loopback.Page(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	}))
}

// info answers with the constants of the page.
func (p *page) info(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	answer := struct {
		Info
		Run     int64   `json:"run"` // another one is another rehearsal
		Now     float64 `json:"now"` // on the events' clock
		Recycle bool    `json:"recycle"`
		Kill    bool    `json:"kill"`
	}{p.Info, p.started.UnixNano(), p.milliseconds(time.Now()), p.Recycle != nil, p.Kill != nil}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		p.Logger.Debug("write info", "error", err)
	}
}

// act runs what a button asks for on the environment in the path.
func (p *page) act(action func(environment string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if action == nil {
			http.NotFound(w, r)
			return
		}
		if err := action(r.PathValue("environment")); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// milliseconds is a time on the events' clock.
func (p *page) milliseconds(t time.Time) float64 {
	return float64(t.Sub(p.started)) / float64(time.Millisecond)
}
