package demo

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/aproorg/sluice/internal/app/demo/answers"
	"github.com/aproorg/sluice/internal/app/demo/chats"
)

// question is what POST /api/chat and POST /api/chat/start take.
type question struct {
	Chat string `json:"chat"` // id of the chat, chosen by the page: [a-z0-9]{1,64}
	Text string `json:"text"`
	// PaceMs is the time between two pieces of the answer, 0 to 5000. Absent: 45.
	PaceMs *int `json:"paceMs,omitempty"`
	// SilenceS is how long the app thinks before the first piece, 0 to 900 seconds, without a byte.
	SilenceS int `json:"silenceS,omitempty"`
	// Seed chooses among the answers to a question. 0 derives it from the question.
	Seed uint64 `json:"seed,omitempty"`
}

// check returns what is wrong with a question, in words for its author.
func (q question) check() error {
	switch {
	case !chats.ValidID(q.Chat):
		return fmt.Errorf("chat %q is not an id of 1 to 64 characters a-z and 0-9", q.Chat)
	case q.Text == "" || len(q.Text) > 20_000:
		return fmt.Errorf("text has %d bytes, and must have 1 to 20000", len(q.Text))
	case q.pace() < 0 || q.pace() > 5*time.Second:
		return fmt.Errorf("paceMs %d is not within 0 and 5000", *q.PaceMs)
	case q.SilenceS < 0 || q.SilenceS > 900:
		return fmt.Errorf("silenceS %d is not within 0 and 900", q.SilenceS)
	}
	return nil
}

func (q question) pace() time.Duration {
	if q.PaceMs == nil {
		return 45 * time.Millisecond
	}
	return time.Duration(*q.PaceMs) * time.Millisecond
}

func (q question) seed() uint64 {
	if q.Seed != 0 {
		return q.Seed
	}
	h := fnv.New64a()
	h.Write([]byte(q.Text))
	return h.Sum64()
}

// generation is one answer on its way. Emit gives each event to the one who reads: a client or a log.
type generation struct {
	server  *Server
	user    string
	ask     question
	emit    func(event) error
	stopped func() bool // asked between two pieces
	n       int
}

func (g *generation) send(name string, data any) error {
	e := event{ID: g.n, Name: name, Data: data}
	g.n++
	return g.emit(e)
}

// run composes the answer piece by piece, saves it, and says so. An answer that is cut, because its reader left, the
// process is told to stop or the visitor pressed stop, is saved as far as it came.
func (g *generation) run(ctx context.Context) error {
	head := map[string]any{"chat": g.ask.Chat, "environment": g.server.environment(), "served": g.server.served.Load()}
	if err := g.send("start", head); err != nil {
		return err
	}
	text, err := g.pieces(ctx)
	cut := err != nil || g.stopped()
	saved := g.server.store.Put("chat-"+g.ask.Chat, chats.Entry{
		Kind: "answer", Text: text, At: time.Now(), Environment: g.server.environment(), Stopped: cut,
	})
	if err == nil {
		err = saved
	}
	if err != nil {
		g.send("error", map[string]any{"error": "the answer was cut: " + err.Error()})
		return err
	}
	return g.send("done", map[string]any{"final": true, "stopped": cut, "environment": g.server.environment()})
}

// pieces emits the answer and returns as much of it as was emitted.
func (g *generation) pieces(ctx context.Context) (string, error) {
	text := ""
	if err := pause(ctx, time.Duration(g.ask.SilenceS)*time.Second, g.stopped); err != nil {
		return text, err
	}
	for _, piece := range answers.Compose(g.ask.Text, g.ask.seed()) {
		if g.stopped() {
			return text, nil
		}
		if err := g.send("piece", map[string]any{"t": piece}); err != nil {
			return text, err
		}
		text += piece
		if err := pause(ctx, g.ask.pace(), nil); err != nil {
			return text, err
		}
	}
	return text, nil
}

// pause sleeps, unless the context ends, or stop (asked four times a second, may be nil) says so: then it is no error.
func pause(ctx context.Context, d time.Duration, stop func() bool) error {
	for d > 0 {
		step := d
		if stop != nil {
			if stop() {
				return nil
			}
			step = min(d, 250*time.Millisecond)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(step):
			d -= step
		}
	}
	return nil
}
