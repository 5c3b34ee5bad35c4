package view

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aproorg/sluice/internal/ui"
)

// Log takes the log of a rehearsal's hops: what they warn of is shown, the rest is for
// tests.
func (v *View) Log() slog.Handler { return &warnings{view: v} }

// warnings is the handler of Log.
type warnings struct {
	view *View
	with []slog.Attr
}

func (w *warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (w *warnings) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	add := func(attr slog.Attr) bool {
		text += fmt.Sprintf(", %s: %s", attr.Key, attr.Value)
		return true
	}
	for _, attr := range w.with {
		add(attr)
	}
	r.Attrs(add)
	w.view.warn(ui.Clean(text))
	if w.view.json == nil {
		w.view.advise(text)
	}
	return nil
}

func (w *warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &warnings{w.view, append(append([]slog.Attr(nil), w.with...), attrs...)}
}

func (w *warnings) WithGroup(string) slog.Handler { return w }
