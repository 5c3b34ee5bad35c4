package app

import (
	"context"
	"flag"

	"github.com/aproorg/sluice/internal/probe/description"
)

// Probe tells whether a site is the app's, and by which paths it is checked.
type Probe interface {
	// Flags adds the app's own flags of `sluice verify`.
	Flags(f *flag.FlagSet)
	// Detect reports whether the app serves the site.
	Detect(ctx context.Context, v *Visit) bool
	// Describe returns the paths. It may ask the site, and add to the question's
	// variables those that were not given.
	Describe(ctx context.Context, q Question) (description.Description, error)
}

// Question is what a user asks of a check.
type Question struct {
	URL  string
	Vars map[string]string // for ${NAME} in the description
	Note func(error)       // what is not checked and why, with a hint
}

// Fixed is a Probe for an app whose description needs no questions.
type Fixed struct {
	Description description.Description
	Known       func(ctx context.Context, v *Visit) bool
}

func (Fixed) Flags(*flag.FlagSet)                         {}
func (f Fixed) Detect(ctx context.Context, v *Visit) bool { return f.Known(ctx, v) }
func (f Fixed) Describe(context.Context, Question) (description.Description, error) {
	return f.Description, nil
}
