// Bootstrap is the entry point of a Sluice image on AWS Lambda: it starts the app that follows `--` and is its runtime client.
// Its settings are environment variables; `bootstrap --help` lists them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"text/tabwriter"

	"github.com/aproorg/sluice/internal/bootstrap"
	"github.com/aproorg/sluice/internal/bootstrap/coldstart"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	command, done, err := parse(args, stdout)
	if done {
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "bootstrap: %v\n", err)
		return 2
	}
	told, err := read(os.Environ())
	if err != nil {
		err = errors.Join(err, bootstrap.Refuse(ctx, os.Getenv("AWS_LAMBDA_RUNTIME_API"), err))
		fmt.Fprintf(stderr, "bootstrap: %v\n", err)
		return 2
	}
	logger := newLogger(stderr, told.settings.Debug)
	if len(told.byRules) > 0 {
		logger.Info("the app's files tell its release, which adds to the environment", "variables", told.byRules)
	}
	told.cold.Log = logger
	preparer := coldstart.NewPreparer(told.cold)
	defer preparer.Close()
	err = bootstrap.Run(ctx, bootstrap.Config{
		Settings: told.settings, Command: command, Environ: told.environ, Prepare: preparer.Prepare, LateSecret: brings(told.cold, "SLUICE_ORIGIN_SECRET"),
		Stdout: stdout, Stderr: stderr, Logger: logger,
	})
	if err != nil {
		logger.Error("the bootstrap ends", "error", err)
		return 1
	}
	return 0
}

// instructions are all that the environment says.
type instructions struct {
	environ  []string // that the app inherits
	byRules  []string // names that the image's rules have added to it
	settings settings.Settings
	cold     coldstart.Settings
}

func read(environ []string) (told instructions, err error) {
	if told.environ, told.byRules, err = settings.Extend(environ, os.ReadFile); err != nil {
		return told, err
	}
	lookup := settings.Lookup(told.environ)
	if told.settings, err = settings.Read(lookup); err != nil {
		return told, err
	}
	told.cold, err = coldstart.Read(lookup)
	return told, err
}

// brings tells whether the cold start fetches the variable.
func brings(cold coldstart.Settings, variable string) bool {
	return slices.ContainsFunc(cold.Secrets, func(s coldstart.SecretRef) bool { return s.Variable == variable })
}

// parse takes the flags and returns the app's command line.
func parse(args []string, stdout io.Writer) (command []string, done bool, err error) {
	flags := flag.NewFlagSet("bootstrap", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	switch err := flags.Parse(args); {
	case err == flag.ErrHelp:
		usage(stdout)
		return nil, true, nil
	case err != nil:
		return nil, false, fmt.Errorf("%w (hint: put -- before the app's command)", err)
	case flags.NArg() == 0:
		return nil, false, fmt.Errorf("no command for the app (hint: bootstrap -- node server.js)")
	}
	return flags.Args(), false, nil
}

func usage(w io.Writer) {
	fmt.Fprint(w, "Usage: bootstrap -- COMMAND [ARGUMENT...]\n\nStarts COMMAND, a web server, and serves it as a Lambda function.\n\nEnvironment:\n")
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, s := range append(settings.Table(), coldstart.Table()...) {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", s.Name, s.Default, s.Meaning)
	}
	table.Flush()
}

// newLogger writes lines as Lambda's JSON log format has them.
func newLogger(w io.Writer, debug bool) *slog.Logger {
	level := slog.LevelInfo
	if debug {
		level = slog.LevelDebug
	}
	rename := func(_ []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case slog.TimeKey:
			a.Key = "timestamp"
		case slog.MessageKey:
			a.Key = "message"
		}
		return a
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: rename}))
}
