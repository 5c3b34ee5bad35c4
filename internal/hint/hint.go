// Package hint carries advice beside an error: what its reader can do about it.
// An error's text says what was attempted and why it failed; the advice is a typed
// part of it, which whoever shows the error puts where it reads best.
//
// It leaves out where errors are shown: commands print the advice on a line of its
// own, logs and Terraform's diagnostics take Text.
package hint

import (
	"errors"
	"fmt"
	"strings"
)

// hinted is an error with advice. Its text is the error's alone.
type hinted struct {
	error
	advice string
}

func (h *hinted) Unwrap() error { return h.error }

// With returns err with advice, a phrase without a full stop, formatted as by
// fmt.Sprintf. A nil err stays nil.
func With(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &hinted{err, fmt.Sprintf(format, args...)}
}

// Of returns the advice in err's tree, outermost first, each once, joined by
// semicolons. It is empty where there is none.
func Of(err error) string {
	var all []string
	collect(err, func(advice string) {
		for _, have := range all {
			if have == advice {
				return
			}
		}
		all = append(all, advice)
	})
	return strings.Join(all, "; ")
}

func collect(err error, add func(string)) {
	for err != nil {
		if h, ok := err.(*hinted); ok {
			add(h.advice)
		}
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, one := range many.Unwrap() {
				collect(one, add)
			}
			return
		}
		err = errors.Unwrap(err)
	}
}

// Text is err on one line with its advice behind it: "cause (hint: advice)".
func Text(err error) string {
	if advice := Of(err); advice != "" {
		return err.Error() + " (hint: " + advice + ")"
	}
	return err.Error()
}
