package rehearse_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// The clock app answers POST /work at once and then works for 50 ticks of 20 ms,
// each a byte in a file, whoever may be looking: its file shows when it ran.
const (
	ticks = 50
	tick  = 20 * time.Millisecond
)

type work struct {
	File string
	PID  int
}

func clockApp() int {
	if slow, err := time.ParseDuration(os.Getenv("CLOCK_SLOW")); err == nil {
		time.Sleep(slow) // the app's start
	}
	var atWork atomic.Int32
	dir := os.Getenv("CLOCK_DIR")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /busy", func(w http.ResponseWriter, _ *http.Request) {
		if atWork.Load() > 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /work", func(w http.ResponseWriter, _ *http.Request) {
		file, err := os.CreateTemp(dir, "work-*")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		atWork.Add(1)
		go func() {
			defer atWork.Add(-1)
			defer file.Close()
			for range ticks {
				time.Sleep(tick) // a piece of work
				fmt.Fprint(file, ".")
			}
		}()
		_ = json.NewEncoder(w).Encode(work{filepath.Base(file.Name()), os.Getpid()})
	})
	mux.HandleFunc("GET /env/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, os.Getenv(r.PathValue("name")))
	})
	mux.HandleFunc("GET /forwarded-host", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("X-Forwarded-Host")) })
	mux.HandleFunc("GET /host", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(50 * time.Millisecond) // the app's work on a request
		fmt.Fprint(w, strings.Repeat(r.URL.Path, 10))
	})
	if err := http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), mux); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return 1
}
