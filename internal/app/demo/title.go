package demo

import (
	"context"
	"time"

	"github.com/aproorg/sluice/internal/app/demo/answers"
	"github.com/aproorg/sluice/internal/app/demo/chats"
)

// titleStep is the grain of the work on a title. The work is counted in steps that really ran, not in time that went
// by: a timer that is due at the thaw must not make up for a frozen environment.
const titleStep = 25 * time.Millisecond

// writeTitle is the work after each response. It takes as long as a small model would, then saves.
func (s *Server) writeTitle(ctx context.Context, q question, user string) error {
	c, err := s.store.Chat(user, q.Chat)
	if err != nil {
		return err
	}
	began := time.Now().Round(0) // the wall clock, so that a stopped machine counts as well
	var frozen time.Duration
	for range int(s.cfg.TitleWork / titleStep) {
		step := time.Now().Round(0)
		if err := pause(ctx, titleStep, nil); err != nil {
			return err
		}
		if over := time.Since(step) - titleStep; over > 10*titleStep {
			frozen += over
		}
	}
	return s.store.Put("chat-"+q.Chat, chats.Entry{
		Kind: "title", Text: answers.Title(c.Entries[0].Text), At: time.Now(), Environment: s.environment(),
		TookMs: time.Since(began).Milliseconds(), FrozenMs: frozen.Milliseconds(),
	})
}
