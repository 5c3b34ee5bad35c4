package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/app/demo/chats"
)

const sessionCookie = "demo_session"

func (s *Server) chatRoutes() {
	s.mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	s.mux.HandleFunc("GET /busy", s.getBusy)
	s.mux.HandleFunc("GET /api/me", s.getMe)
	s.mux.HandleFunc("POST /api/login", s.postLogin)
	s.mux.HandleFunc("POST /api/logout", s.postLogout)
	s.mux.HandleFunc("GET /api/chats", s.withUser(s.getChats))
	s.mux.HandleFunc("GET /api/chats/{id}", s.withUser(s.getChat))
	s.mux.HandleFunc("POST /api/chat", s.withUser(s.postChat))
	s.mux.HandleFunc("POST /api/chat/start", s.withUser(s.postStart))
	s.mux.HandleFunc("GET /api/chat/stream/{id}", s.withUser(s.getStream))
	s.mux.HandleFunc("POST /api/chat/stop/{id}", s.withUser(s.postStop))
}

// getBusy tells the bootstrap (SLUICE_BUSY_PATH) whether work goes on after a response: 503 while it does, else 200.
func (s *Server) getBusy(w http.ResponseWriter, _ *http.Request) {
	n, status := s.busy.Load(), http.StatusOK
	if n > 0 {
		status = http.StatusServiceUnavailable
	}
	reply(w, status, map[string]any{"busy": n > 0, "jobs": n})
}

func (s *Server) me(user string) map[string]any {
	return map[string]any{
		"user": user, "environment": s.environment(), "served": s.served.Load(), "started": s.started.UTC(),
		"shared": s.cfg.StateDir != "",
	}
}

func (s *Server) getMe(w http.ResponseWriter, r *http.Request) {
	reply(w, http.StatusOK, s.me(s.userOf(r)))
}

func (s *Server) userOf(r *http.Request) string {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	return s.store.User(c.Value)
}

// withUser answers 401 to a visitor without a session.
func (s *Server) withUser(next func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user := s.userOf(r)
		if user == "" {
			fail(w, http.StatusUnauthorized, errors.New("log in first: POST /api/login with {\"name\": …}"))
			return
		}
		next(w, r, user)
	}
}

// postLogin sets three cookies, one of them with a comma in its date: a hop that joins Set-Cookie headers breaks them.
func (s *Server) postLogin(w http.ResponseWriter, r *http.Request) {
	var in struct{ Name string }
	if !readJSON(w, r, &in) {
		return
	}
	name := strings.TrimSpace(in.Name)
	if name == "" || len(name) > 60 {
		fail(w, http.StatusBadRequest, errors.New("name must have 1 to 60 bytes"))
		return
	}
	token, err := s.store.NewSession(name)
	if err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	setSession(w, r, token, time.Now().AddDate(0, 0, 7))
	http.SetCookie(w, &http.Cookie{Name: "demo_greeted", Value: "yes", Path: "/", SameSite: http.SameSiteLaxMode})
	http.SetCookie(w, &http.Cookie{Name: "demo_region", Value: "on-this-machine", Path: "/", MaxAge: 3600})
	reply(w, http.StatusOK, s.me(name))
}

// setSession marks the cookie Secure where the visitor came by TLS, as the hops in front tell it.
func setSession(w http.ResponseWriter, r *http.Request, token string, until time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: r.Header.Get("X-Forwarded-Proto") == "https", Expires: until,
	})
}

func (s *Server) postLogout(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(sessionCookie); err == nil {
		if err := s.store.EndSession(c.Value); err != nil {
			fail(w, http.StatusInternalServerError, err)
			return
		}
	}
	setSession(w, r, "", time.Unix(1, 0))
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) getChats(w http.ResponseWriter, _ *http.Request, user string) {
	all, err := s.store.Chats(user)
	if err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	reply(w, http.StatusOK, all)
}

func (s *Server) getChat(w http.ResponseWriter, r *http.Request, user string) {
	id := r.PathValue("id")
	if !chats.ValidID(id) {
		fail(w, http.StatusBadRequest, fmt.Errorf("chat %q is not an id", id))
		return
	}
	c, err := s.store.Chat(user, id)
	switch {
	case errors.Is(err, chats.ErrNoChat):
		fail(w, http.StatusNotFound, err)
	case err != nil:
		fail(w, http.StatusInternalServerError, err)
	default:
		reply(w, http.StatusOK, c)
	}
}

// readQuestion decodes, checks and stores a question; it answers itself where that fails.
func (s *Server) readQuestion(w http.ResponseWriter, r *http.Request, user string) (question, bool) {
	var q question
	if !readJSON(w, r, &q) {
		return q, false
	}
	if err := q.check(); err != nil {
		fail(w, http.StatusBadRequest, err)
		return q, false
	}
	if err := s.store.Ask(user, q.Chat, q.Text); err != nil {
		status := http.StatusInternalServerError
		if errors.Is(err, chats.ErrNoChat) {
			status = http.StatusNotFound
		}
		fail(w, status, err)
		return q, false
	}
	return q, true
}

// postChat answers in the response itself. The answer is cut when the client leaves, and the title comes after the end.
func (s *Server) postChat(w http.ResponseWriter, r *http.Request, user string) {
	q, ok := s.readQuestion(w, r, user)
	if !ok {
		return
	}
	out, err := startSSE(w)
	if err != nil {
		return
	}
	ctx, cancel := s.requestContext(r)
	defer cancel()
	g := &generation{server: s, user: user, ask: q, emit: out.send, stopped: func() bool { return false }}
	if err := g.run(ctx); err != nil {
		s.cfg.Log.Info("an answer was cut", "chat", q.Chat, "error", err)
		return
	}
	s.background("title", func(ctx context.Context) error { return s.writeTitle(ctx, q, user) })
}

func readJSON(w http.ResponseWriter, r *http.Request, v any) bool {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(v); err != nil {
		fail(w, http.StatusBadRequest, fmt.Errorf("the body is not the JSON expected: %w", err))
		return false
	}
	return true
}
