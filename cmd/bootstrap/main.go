// Bootstrap is the entry point of a Sluice image on AWS Lambda: it starts the app that follows `--` and is its runtime client.
// Its settings are environment variables; `bootstrap --help` lists them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"text/tabwriter"

	"github.com/aproorg/sluice/internal/bootstrap"
	"github.com/aproorg/sluice/internal/bootstrap/coldstart"
	"github.com/aproorg/sluice/internal/bootstrap/logline"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/bootstrap/supervise"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/seal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	// Nobody who reads the output is no reason to end: writing fails then. A handler, unlike SIG_IGN, is not inherited by the app.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	command, done, err := parse(args, stdout)
	if done {
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "bootstrap: %s\n", hint.Text(err))
		return 2
	}
	s, env, byRules, err := read(os.Environ())
	if err != nil {
		err = errors.Join(err, bootstrap.Refuse(ctx, os.Getenv("AWS_LAMBDA_RUNTIME_API"), err))
		fmt.Fprintf(stderr, "bootstrap: %s\n", hint.Text(err))
		return 2
	}
	logger := logline.New(stderr, s.Debug)
	if len(byRules.Variables) > 0 {
		logger.Info("the app's files show its release, whose rules add to the environment", "variables", byRules.Variables)
	}
	for _, note := range byRules.Notes {
		logger.Info(note)
	}
	if err := errors.Join(seal.EraseEnvironment(), seal.Process()); err != nil {
		logger.Warn("the app can read the secrets of the bootstrap", "error", err)
	}
	preparer := coldstart.NewPreparer(coldstart.Config{ColdStart: s.ColdStart, AWS: s.AWS, Log: logger})
	defer preparer.Close()
	orphans := supervise.AdoptOrphans()
	defer orphans.End()
	store, err := coldstart.UploadStore(s)
	if err != nil {
		err = errors.Join(err, bootstrap.Refuse(ctx, s.RuntimeAPI, err))
		fmt.Fprintf(stderr, "bootstrap: %s\n", hint.Text(err))
		return 2
	}
	err = bootstrap.Run(ctx, bootstrap.Config{
		Settings: s, UploadStore: store, Command: command, Env: env, Prepare: preparer.Prepare, Refresh: preparer.Refresh, LateSecret: fetches(s.ColdStart, settings.OriginSecretVariable),
		Orphans: orphans, Stdout: stdout, Stderr: stderr, Logger: logger,
	})
	if err != nil {
		logger.Error("the bootstrap ends", "error", hint.Text(err))
		return 1
	}
	return 0
}

// read returns the settings, the variables that the app inherits, and what the image's rules have added to them.
func read(env []string) (s settings.Settings, extended []string, byRules settings.Extension, err error) {
	if extended, byRules, err = settings.Extend(env, settings.ReadFile); err == nil {
		s, err = settings.Read(settings.Lookup(extended))
	}
	return s, extended, byRules, err
}

// fetches tells whether the variable is among the secrets of the cold start.
func fetches(cold settings.ColdStart, variable string) bool {
	return slices.ContainsFunc(cold.Secrets, func(s settings.SecretRef) bool { return s.Variable == variable })
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
		return nil, false, hint.With(err, "put -- before the app's command")
	case flags.NArg() == 0:
		return nil, false, hint.With(errors.New("no command for the app"), "bootstrap -- node server.js")
	}
	return flags.Args(), false, nil
}

func usage(w io.Writer) {
	fmt.Fprint(w, "Usage: bootstrap -- COMMAND [ARGUMENT...]\n\nStarts COMMAND, a web server, and serves it as a Lambda function.\n\nEnvironment:\n")
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, s := range settings.Table() {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", s.Name, s.Default, s.Meaning)
	}
	table.Flush()
}
