package hint_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/aproorg/sluice/internal/hint"
)

func TestAdvice(t *testing.T) {
	inner := hint.With(fmt.Errorf("open it: %w", fs.ErrNotExist), "make %s first", "it")
	for _, c := range []struct {
		err          error
		message, got string
	}{
		{errors.New("plain"), "plain", ""},
		{inner, "open it: file does not exist", "make it first"},
		{fmt.Errorf("start: %w", inner), "start: open it: file does not exist", "make it first"},
		{hint.With(fmt.Errorf("start: %w", inner), "or do not"), "start: open it: file does not exist", "or do not; make it first"},
		{errors.Join(inner, hint.With(errors.New("b"), "see b"), inner), "open it: file does not exist\nb\nopen it: file does not exist", "make it first; see b"},
		{fmt.Errorf("%w and %w", errors.New("a"), inner), "a and open it: file does not exist", "make it first"},
	} {
		if c.err.Error() != c.message || hint.Of(c.err) != c.got {
			t.Errorf("%q with advice %q, want %q with %q", c.err, hint.Of(c.err), c.message, c.got)
		}
	}
	if !errors.Is(inner, fs.ErrNotExist) || hint.With(nil, "x") != nil {
		t.Error("advice hides the error, or makes one of none")
	}
	if got := hint.Text(inner); got != "open it: file does not exist (hint: make it first)" {
		t.Error(got)
	}
}
