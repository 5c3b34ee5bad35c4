package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/aproorg/sluice/internal/app/demo/chats"
)

// pollStream is how often a reader looks at a stream's log, which another process may write.
const pollStream = 10 * time.Millisecond

// postStart answers at once and generates afterwards. The stream's id is random and is all that a reader needs besides
// the session.
func (s *Server) postStart(w http.ResponseWriter, r *http.Request, user string) {
	q, ok := s.readQuestion(w, r, user)
	if !ok {
		return
	}
	id := chats.NewID()
	if err := s.store.Put("streamowner-"+id, user); err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	s.background("answer", func(ctx context.Context) error {
		g := &generation{server: s, user: user, ask: q, stopped: s.stopAsked(id),
			emit: func(e event) error { return s.store.Put("stream-"+id, e) }}
		if err := g.run(ctx); err != nil {
			return err
		}
		return s.writeTitle(ctx, q, user)
	})
	reply(w, http.StatusOK, map[string]any{"streamId": id, "chat": q.Chat, "status": "started",
		"environment": s.environment(), "served": s.served.Load()})
}

// stopAsked reports whether someone, perhaps through another process, has asked for the end of a stream.
func (s *Server) stopAsked(id string) func() bool {
	return func() bool {
		lines, _, err := s.store.Read("streamstop-"+id, 0)
		return err == nil && len(lines) > 0
	}
}

// ownStream answers 404 unless the stream belongs to the user.
func (s *Server) ownStream(w http.ResponseWriter, r *http.Request, user string) (id string, ok bool) {
	id = r.PathValue("id")
	if chats.ValidID(id) {
		lines, _, err := s.store.Read("streamowner-"+id, 0)
		var owner string
		if err == nil && len(lines) > 0 && json.Unmarshal(lines[0], &owner) == nil && owner == user {
			return id, true
		}
	}
	fail(w, http.StatusNotFound, fmt.Errorf("there is no stream %.64q in this environment's state", id))
	return "", false
}

func (s *Server) postStop(w http.ResponseWriter, r *http.Request, user string) {
	id, ok := s.ownStream(w, r, user)
	if !ok {
		return
	}
	if err := s.store.Put("streamstop-"+id, time.Now()); err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// getStream reads a started stream from the event after ?after or Last-Event-ID on, until its last event.
func (s *Server) getStream(w http.ResponseWriter, r *http.Request, user string) {
	id, ok := s.ownStream(w, r, user)
	if !ok {
		return
	}
	after, err := resumeAfter(r)
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	out, err := startSSE(w)
	if err != nil {
		return
	}
	ctx, cancel := s.requestContext(r)
	defer cancel()
	if err := s.follow(ctx, id, after, out.send); err != nil && r.Context().Err() == nil {
		out.send(event{ID: -1, Name: "error", Data: map[string]any{"error": err.Error(), "resume": true}})
	}
}

// follow hands the events of a stream to send as they are written, whoever writes them.
func (s *Server) follow(ctx context.Context, id string, after int, send func(event) error) error {
	var cursor int64
	for {
		lines, next, err := s.store.Read("stream-"+id, cursor)
		if err != nil {
			return err
		}
		cursor = next
		for _, line := range lines {
			var e event
			if err := json.Unmarshal(line, &e); err != nil {
				return fmt.Errorf("decode stream %s: %w", id, err)
			}
			if e.ID > after {
				if err := send(e); err != nil {
					return err
				}
			}
			if e.last() {
				return nil
			}
		}
		if err := pause(ctx, pollStream, nil); err != nil {
			return err
		}
	}
}
