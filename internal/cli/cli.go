// Package cli is the command line: flags become options, and each command makes
// one call with them. One file per command: newX declares it, runX does it. A
// new command is a file with a newX, and its name in one of the groups.
//
// It is the only importer of the CLI library, and the one place that maps errors
// to exit codes. It leaves out all work of its own, and the terminal (package ui).
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/app/presets"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/ui"
)

// Program is what the process lends to the commands.
type Program struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
	// Executable is the path of this program, which some commands start again.
	Executable func() (string, error)
}

// app is a Program with the flags that every command has.
type app struct {
	Program
	json    bool
	started bool // a command has begun: what fails now is not the command line
	quiet   bool // the command has said itself what failed
}

// group is a heading of --help with its commands, both in the order shown.
type group struct {
	title    string
	commands []func(*app) *cobra.Command
}

// The library sorts commands by name unless this global says otherwise; init,
// plan and deploy stand in the order in which a newcomer needs them.
func init() { cobra.EnableCommandSorting = false }

// groups hold every command. One that is hidden may stand in any of them.
var groups = []group{
	{"Rehearse on this machine, and check a site", []func(*app) *cobra.Command{newUp, newVerify, newServeApp}},
	{"Deploy to AWS", []func(*app) *cobra.Command{newInit, newPlan, newDeploy, newStatus, newDestroy}},
	{"Parts of it", []func(*app) *cobra.Command{newImage, newSite, newStack, newGraph, newSettings, newVersion}},
}

// Run runs the command that args ask for and returns the exit code.
func Run(ctx context.Context, program Program, args []string) int {
	a := &app{Program: program}
	root := newRoot(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.started {
		err = &usageError{err}
	}
	return a.report(ctx, err)
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "sluice",
		Short: "A streaming web app on AWS Lambda: rehearsed here, deployed there, proved to stream",
		Long: `Sluice runs ` + presets.Shipped().Title + `, or any web app that streams, on AWS Lambda behind one
CloudFront domain. It rehearses the whole path on this machine, deploys it with
Terraform, and proves that it streams.`,
		Example: `  sluice up                        rehearse the demo app
  sluice verify http://127.0.0.1:8080`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	root.SetUsageTemplate(usageTemplate)
	root.PersistentFlags().BoolVar(&a.json, "json", false, "write JSON for machines, one value a line")
	root.PersistentFlags().SortFlags = false
	for _, group := range groups {
		root.AddGroup(&cobra.Group{ID: group.title, Title: group.title})
		for _, add := range group.commands {
			command := add(a)
			command.GroupID = group.title
			a.markStart(command)
			command.Flags().SortFlags = false
			root.AddCommand(command)
		}
	}
	return root
}

// markStart notes when a command, or one below it, begins: the library's own
// checks of the command line are over then.
func (a *app) markStart(command *cobra.Command) {
	if run := command.RunE; run != nil {
		command.RunE = func(cmd *cobra.Command, args []string) error {
			a.started = true
			return run(cmd, args)
		}
	}
	for _, below := range command.Commands() {
		a.markStart(below)
	}
}

// usageTemplate shows, beside what the library's does, the exit codes.
const usageTemplate = `Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND [FLAGS]{{else}}{{.UseLine}}{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}{{$all := .Commands}}{{range $group := .Groups}}

{{.Title}}:{{range $all}}{{if and (eq .GroupID $group.ID) .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{else}}

Commands:{{range $all}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Flags of every command:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}

Exit codes:
{{if index .Annotations "exit"}}{{index .Annotations "exit"}}{{else}}  0  done
  1  it failed; standard error says why{{end}}
  2  the command line is wrong
  130  interrupted
{{if .HasAvailableSubCommands}}
"sluice COMMAND --help" tells more about a command.
{{end}}`

// exitCodes documents what a command's own exit codes mean.
func exitCodes(lines ...string) map[string]string {
	return map[string]string{"exit": "  " + strings.Join(lines, "\n  ")}
}

// out writes plain lines, and a status line if a person watches.
func (a *app) out() *ui.Terminal { return ui.NewTerminal(a.Out, a.Getenv) }

// Exit codes.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// usageError is a fault of the command line.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// report tells the user what failed, and maps it to an exit code.
func (a *app) report(ctx context.Context, err error) int {
	err = withFlags(err)
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		a.say("interrupted", "")
		return exitInterrupted
	case errors.As(err, &usage):
		if hint.Of(err) == "" {
			err = hint.With(err, "--help shows the flags")
		}
		a.say(err.Error(), hint.Of(err))
		return exitUsage
	case a.quiet:
		return exitFailure
	}
	a.say(err.Error(), hint.Of(err))
	return exitFailure
}

// failure is an error as JSON.
type failure struct {
	Event string `json:"event"` // error
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

func (a *app) say(message, advice string) {
	if a.json {
		_ = ui.NewJSON(a.Out).Write(failure{"error", message, advice}) // nobody is left to hear of it
	}
	terminal := ui.NewTerminal(a.Err, a.Getenv)
	terminal.Line(terminal.Paint(ui.Red, "error:") + " " + message)
	if advice != "" {
		terminal.Line(terminal.Paint(ui.Bold, "hint:") + "  " + advice)
	}
}

// remark writes a line for people beside a command's own output: a warning or a note.
func (a *app) remark(kind string, err error) {
	_, _ = fmt.Fprintln(a.Err, kind+":", hint.Text(err)) // nobody is left to hear of it
}
