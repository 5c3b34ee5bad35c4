package app

import (
	"context"
	"flag"
	"io/fs"
	"log/slog"

	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/rehearse/stores"
	"github.com/aproorg/sluice/internal/timeline"
)

// Rehearsal brings an app to the point where package rehearse can run it. A command
// makes one, sets its flags, and calls Check and Start once each, in this order.
type Rehearsal interface {
	// Flags adds the app's own flags of `sluice up`.
	Flags(f *flag.FlagSet)
	// Check reads what the user asks for, before anything is started. A fault of the
	// command line is a *UsageError.
	Check(ctx context.Context, r Request) error
	// Start brings up what stands beside the app and describes the app as it is seen at
	// the site's URL. ctx bounds the start only. After an error nothing is left.
	Start(ctx context.Context, siteURL string) (Prepared, error)
}

// Request is what a user asks of a rehearsal.
type Request struct {
	Name  string   // the preset's name, or a directory
	Known []string // the names of all presets
	Launch
	// Env is for the function's environment.
	Env map[string]string
	// Function is the environment that the stack gives the function.
	Function map[string]string
	// Image is what the stack's image adds to its own environment.
	Image    map[string]string
	Recorder *timeline.Recorder

	Getenv     func(string) string
	Executable func() (string, error) // of this program
	Warn       func(error)            // what does not keep it from starting, with a hint
}

// Prepared is an app with all that stands beside it, ready to be rehearsed.
type Prepared struct {
	App    rehearse.App
	Site   fs.FS          // nil for an app without a front end
	Routes []string       // nil for the stack's
	Stores *stores.Stores // nil for an app without stores

	// Note says how the app is run, where that is not plain; empty is nothing.
	Note string
	// User can log in, where the app has a login.
	User *User
	// Routine says which lines of an environment's output nobody needs to see; nil is none.
	Routine func(environment, line string) bool
	// Summary is asked at the end for a line about the run; nil has nothing to say.
	Summary func(environments, concurrency int) string
	// Close ends what Start has started; nil if there is nothing.
	Close func() error
}

// User is an account of the rehearsed app. Its password is no secret: the
// rehearsal listens on this machine only.
type User struct{ Email, Password string }

// Server is what an app that runs in this process gets of it.
type Server struct {
	Context context.Context
	Getenv  func(string) string
	Log     *slog.Logger
}

// ServeCommand is the hidden command by which this program is one of the apps: its
// argument is the preset's name.
const ServeCommand = "serve-app"
