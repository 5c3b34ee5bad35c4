// Package command is what the commands of sluice share: the process that they run in,
// how they show results, warnings and faults of the command line, and the flags that
// more than one of them has.
//
// It leaves out each command, which stands in the package of its group beside this
// one, and exit codes, which package cli makes of errors.
package command

import (
	"fmt"
	"io"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/ui"
)

// Program is what the process lends to the commands, with the flags that all of them
// have.
type Program struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
	// Executable is the path of this program, which some commands start again.
	Executable func() (string, error)

	JSON     bool // --json: results go to Out as JSON, one value a line
	Reported bool // set by a command whose output already says what failed
}

// Terminal writes results to Out: plain lines, and a status line if a person watches.
func (p *Program) Terminal() *ui.Terminal { return ui.NewTerminal(p.Out, p.Getenv) }

// Progress writes beside the results, to Err.
func (p *Program) Progress() *ui.Terminal { return ui.NewTerminal(p.Err, p.Getenv) }

// WriteJSON writes one value to Out.
func (p *Program) WriteJSON(value any) error { return ui.NewJSON(p.Out).Write(value) }

// Warn says what does not keep the command from going on.
func (p *Program) Warn(err error) { p.remark("warning", err) }

// Note says what the command leaves out.
func (p *Program) Note(err error) { p.remark("note", err) }

// remark writes a line for people beside a command's own output.
func (p *Program) remark(kind string, err error) {
	_, _ = fmt.Fprintln(p.Err, kind+":", hint.Text(err)) // nobody is left to hear of it
}
