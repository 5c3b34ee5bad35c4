package demo

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const probeETag = `"demo-1"`

// probeRoutes are for the black-box checks of `sluice verify`: each answers in one way that some hop is known to spoil.
func (s *Server) probeRoutes() {
	s.mux.HandleFunc("/api/probe/error/{status}", func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(r.PathValue("status"))
		if err != nil || status < 400 || status > 599 {
			fail(w, http.StatusBadRequest, fmt.Errorf("status %q is not from 400 to 599", r.PathValue("status")))
			return
		}
		fail(w, status, fmt.Errorf("the %d that was asked for", status))
	})
	s.mux.HandleFunc("/api/probe/empty", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s.mux.HandleFunc("GET /api/probe/etag", getETag) // HEAD too
	s.mux.HandleFunc("/api/probe/redirect", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/about?from=redirect&x=%2F")
		w.WriteHeader(http.StatusFound)
	})
	s.mux.HandleFunc("GET /api/probe/cookies", getCookies)
	s.mux.HandleFunc("GET /api/probe/binary", getBinary)
	s.mux.HandleFunc("/api/probe/echo", echo)
	s.mux.HandleFunc("GET /api/probe/sse", s.getSSE)
}

func getETag(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", probeETag)
	w.Header().Set("Cache-Control", "no-cache")
	if r.Header.Get("If-None-Match") == probeETag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := []byte("{\"validator\":\"demo-1\"}\n")
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

func getCookies(w http.ResponseWriter, _ *http.Request) {
	later := time.Now().Add(time.Hour)
	http.SetCookie(w, &http.Cookie{Name: "probe_one", Value: "1", Path: "/api/probe", Expires: later})
	http.SetCookie(w, &http.Cookie{Name: "probe_two", Value: "2", Path: "/api/probe", Expires: later, HttpOnly: true})
	http.SetCookie(w, &http.Cookie{Name: "probe_three", Value: "a%20b", Path: "/api/probe"})
	reply(w, http.StatusOK, map[string]int{"cookies": 3})
}

// getBinary sends every byte value once: what is not UTF-8 shows whether a hop reads bodies as text.
func getBinary(w http.ResponseWriter, _ *http.Request) {
	body := make([]byte, 256)
	for i := range body {
		body[i] = byte(i)
	}
	w.Header().Set("Content-Type", "image/x-demo")
	w.Header().Set("Content-Length", "256")
	w.Write(body)
}

// echo tells how the request arrived.
func echo(w http.ResponseWriter, r *http.Request) {
	p, err := sumPart("", http.MaxBytesReader(w, r.Body, maxUpload))
	if err != nil {
		fail(w, http.StatusRequestEntityTooLarge, err)
		return
	}
	reply(w, http.StatusOK, map[string]any{
		"method": r.Method, "uri": r.RequestURI, "header": r.Header, "bytes": p.Bytes, "sha256": p.SHA256,
	})
}

// getSSE sends ?events events, one each ?interval ms, with the server's clock in each: {"n":1,"at":microseconds}.
// ?head is a silence in ms before the headers, ?silence one in ms between the first event and the second.
func (s *Server) getSSE(w http.ResponseWriter, r *http.Request) {
	var err error
	param := func(name string, absent, high int) int {
		n, e := intParam(r, name, absent, 0, high)
		if err == nil {
			err = e
		}
		return n
	}
	const day = 86_400_000
	n, interval := param("events", 20, 100_000), param("interval", 100, day)
	head, silence := param("head", 0, day), param("silence", 0, day)
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	ctx, cancel := s.requestContext(r)
	defer cancel()
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	if pause(ctx, ms(head), nil) != nil {
		return
	}
	out, err := startSSE(w)
	if err != nil {
		return
	}
	for i := range n {
		wait := ms(interval)
		switch i {
		case 0:
			wait = 0
		case 1:
			wait = max(wait, ms(silence))
		}
		if pause(ctx, wait, nil) != nil {
			return
		}
		if out.send(event{ID: i, Name: "tick", Data: map[string]any{"n": i, "at": time.Now().UnixMicro()}}) != nil {
			return
		}
	}
	out.send(event{ID: n, Name: "done", Data: map[string]any{"final": true}})
}
