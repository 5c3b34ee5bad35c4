package bootstrap_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/mccutchen/go-httpbin/v2/httpbin"
)

// runApp is the app: go-httpbin with some routes of our own, or one of its failing variants.
func runApp(kind string) {
	fmt.Println("app: starting as", kind)
	switch kind {
	case "dies":
		fmt.Fprintln(os.Stderr, "app: cannot read librechat.yaml")
		os.Exit(3)
	case "slow":
		time.Sleep(1500 * time.Millisecond) // a slow start
	case "slowdies":
		time.Sleep(700 * time.Millisecond) // it looks for its database
		fmt.Fprintln(os.Stderr, "app: no database")
		os.Exit(3)
	case "forks":
		child := exec.Command("sleep", "600")
		if err := child.Start(); err != nil {
			panic(err)
		}
		fmt.Println("app: child", child.Process.Pid)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		if kind == "sick" {
			http.Error(w, "sick", http.StatusServiceUnavailable)
		}
	})
	routes(mux)
	talks(mux)
	takesUploads(mux)
	hooks(mux)
	mux.Handle("/", httpbin.New())
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "echo-target") { // the mux would clean the path
			_, _ = io.WriteString(w, r.RequestURI)
			return
		}
		mux.ServeHTTP(w, r)
	})
	if err := http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), handler); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func routes(mux *http.ServeMux) {
	mux.HandleFunc("/crash", func(http.ResponseWriter, *http.Request) { os.Exit(7) })
	mux.HandleFunc("/crash-late", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "begun")
		_ = http.NewResponseController(w).Flush()
		time.Sleep(50 * time.Millisecond) // what it has written gets through
		os.Exit(7)
	})
	mux.HandleFunc("/events", events)
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/mirror", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	mux.HandleFunc("/tick", func(w http.ResponseWriter, r *http.Request) {
		for range 100 {
			_, _ = io.WriteString(w, "tick\n")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(100 * time.Millisecond):
			case <-r.Context().Done():
				return
			}
		}
	})
	mux.HandleFunc("/endless", endless)
	mux.HandleFunc("/orphans", func(w http.ResponseWriter, _ *http.Request) {
		out, err := exec.Command("sh", "-c", "exec 3>&1 >/dev/null 2>&1; for i in 1 2 3 4 5; do sleep 0.05 3>&- & done; setsid sleep 600 3>&- & echo $! >&3").Output()
		if err != nil {
			fmt.Fprint(w, err)
		}
		_, _ = w.Write(out)
	})
	mux.HandleFunc("/say", func(http.ResponseWriter, *http.Request) {
		fmt.Println("app: to stdout")
		fmt.Fprintln(os.Stderr, "app: to stderr")
	})
	mux.HandleFunc("/cookies", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", "a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT")
		w.Header().Add("Set-Cookie", "b=2")
	})
	mux.HandleFunc("/big-head", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Big", string(make([]byte, 0))+fmt.Sprintf("%020000d", 1))
	})
	mux.HandleFunc("/environ", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Join(os.Environ(), "\n")) })
	mux.HandleFunc("/spy", spy)
	mux.HandleFunc("/pid", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getpid()) })
}

// events writes ?n= events every ?every=, after ?before= without headers, and a comment every ?comments= meanwhile.
func events(w http.ResponseWriter, r *http.Request) {
	query := func(name string, otherwise int) time.Duration {
		if n, err := strconv.Atoi(r.URL.Query().Get(name)); err == nil {
			otherwise = n
		}
		return time.Duration(otherwise)
	}
	time.Sleep(query("before", 0) * time.Millisecond) // the app thinks before its headers
	if status := query("status", 200); status != 200 {
		w.WriteHeader(int(status))
		_, _ = io.WriteString(w, "no such chat")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if encoding := r.URL.Query().Get("encoding"); encoding != "" {
		w.Header().Set("Content-Encoding", encoding)
	}
	control := http.NewResponseController(w)
	_ = control.Flush()
	for i := range query("n", 3) {
		if name := r.URL.Query().Get("name"); name != "" {
			fmt.Fprintf(w, "event: %s\n", name)
		}
		fmt.Fprintf(w, "data: {\"i\":%d,", i)
		if pause := query("split", 0); pause > 0 {
			_ = control.Flush()
			time.Sleep(pause * time.Millisecond) // between the pieces of one event
		}
		fmt.Fprintf(w, "\"at\":%d}\n\n", time.Now().UnixNano())
		_ = control.Flush()
		for next := time.Now().Add(query("every", 50) * time.Millisecond); time.Until(next) > 0; {
			pause := time.Until(next)
			if every := query("comments", 0) * time.Millisecond; every > 0 && every < pause {
				pause = every
			}
			select {
			case <-time.After(pause):
			case <-r.Context().Done():
				return
			}
			if time.Until(next) > 0 {
				_, _ = io.WriteString(w, ": keepalive\n\n")
				_ = control.Flush()
			}
		}
	}
}

// endless answers with ?head= and then ?piece= for ever, both in hexadecimal.
func endless(w http.ResponseWriter, r *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	head, _ := hex.DecodeString(r.URL.Query().Get("head"))
	piece, _ := hex.DecodeString(r.URL.Query().Get("piece"))
	_, err = conn.Write(head)
	for piece = bytes.Repeat(piece, 10_000); err == nil; {
		_, err = conn.Write(piece)
	}
}
