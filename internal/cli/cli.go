// Package cli is the command line: it runs the command that the arguments name and
// maps its error to an exit code. The commands stand in the packages below, one for
// each group of --help (up, check, deploy, parts), and share package command. All of
// them turn flags into options and make one call with these.
//
// It leaves out the work itself and the terminal (package ui). This folder is the only
// importer of the CLI library.
package cli

import (
	"context"
	"errors"

	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/ui"
)

// Program is what the process lends to the commands.
type Program = command.Program

// Exit codes.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// Run runs the command that args ask for and returns the exit code.
func Run(ctx context.Context, program Program, args []string) int {
	started := false
	root := newRoot(&program, func() { started = true })
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !started {
		err = command.Usage(err)
	}
	return report(ctx, &program, err)
}

// report tells the user what failed, and maps it to an exit code.
func report(ctx context.Context, p *Program, err error) int {
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		say(p, "interrupted", hint.Of(err))
		return exitInterrupted
	case command.IsUsage(err):
		if hint.Of(err) == "" {
			err = hint.With(err, "--help shows the flags")
		}
		say(p, err.Error(), hint.Of(err))
		return exitUsage
	case p.Reported:
		return exitFailure
	}
	say(p, err.Error(), hint.Of(err))
	return exitFailure
}

// failure is an error as JSON.
type failure struct {
	Event string `json:"event"` // error
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

func say(p *Program, message, advice string) {
	if p.JSON {
		_ = p.WriteJSON(failure{"error", message, advice}) // nobody is left to hear of it
	}
	terminal := p.Progress()
	terminal.Line(terminal.Paint(ui.Red, "error:") + " " + message)
	if advice != "" {
		terminal.Line(terminal.Paint(ui.Bold, "hint:") + "  " + advice)
	}
}
