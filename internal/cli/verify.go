package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/probe"
	"github.com/aproorg/sluice/internal/ui"
)

// verifyOptions are the flags of verify.
type verifyOptions struct {
	url         string
	app         string
	description string
	quick       bool
	silence     time.Duration
	timeout     time.Duration
	vars        []string

	endpoint, model string // of LibreChat
}

func newVerify(a *app) *cobra.Command {
	o := verifyOptions{}
	command := &cobra.Command{
		Use:   "verify URL",
		Short: "Check a deployed or rehearsed site from outside: does it stream?",
		Long: `Verify checks what some hop between the app and the browser is known to spoil:
streams that are collected, errors that become pages, lost cookies, cut bodies,
cache and security headers. The checks are the same for a rehearsal and for AWS.`,
		Example: `  sluice verify http://127.0.0.1:8080
  sluice verify http://127.0.0.1:8080 --app librechat
  sluice verify https://chat.example.com --app librechat --endpoint openAI --model gpt-4o --var email=… --var password=…
  sluice verify https://example.com --describe checks.json
  sluice verify http://127.0.0.1:8080 --quick --json`,
		Args:        cobra.ExactArgs(1),
		Annotations: exitCodes("0  every check passed or was skipped", "1  a check failed, or none could be made"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.url = args[0]
			return runVerify(cmd.Context(), a, o)
		},
	}
	f := command.Flags()
	f.StringVar(&o.app, "app", "demo", "the app whose paths are checked: "+strings.Join(descriptionNames(), " or "))
	f.StringVar(&o.description, "describe", "", "`FILE` with a probe description (JSON) of another app")
	f.BoolVar(&o.quick, "quick", false, "shorten the silences: seconds instead of a minute, and less is proved")
	f.DurationVar(&o.silence, "silence", 0, "how long a stream is asked to be silent (default 1m0s, or 2s with --quick)")
	f.DurationVar(&o.timeout, "timeout", time.Minute, "longest time of one check, silences not counted")
	f.StringArrayVar(&o.vars, "var", nil, "`NAME=VALUE` for ${NAME} in the description, such as a login's password; may be repeated")
	f.StringVar(&o.endpoint, "endpoint", "", "LibreChat: `NAME` of the endpoint that is asked to stream (default: the rehearsal's stub)")
	f.StringVar(&o.model, "model", "", "LibreChat: `NAME` of that endpoint's model (default: the stub's)")
	return command
}

var errChecksFailed = errors.New("checks have failed")

func runVerify(ctx context.Context, a *app, o verifyOptions) error {
	known, err := o.describer()
	if err != nil {
		return err
	}
	vars, err := assignments("--var", o.vars)
	if err != nil {
		return err
	}
	description, err := known(ctx, a, o, vars)
	if err != nil {
		return err
	}
	progress := ui.NewTerminal(a.Err, a.Getenv)
	report, err := probe.Run(ctx, o.url, description, probe.Options{
		Quick: o.quick, Silence: o.silence, Timeout: o.timeout, Vars: vars,
		Progress: func(r probe.Result, done bool) {
			if !done {
				progress.Status("checking " + r.Name + " …")
			}
		},
	})
	progress.Status("")
	if err != nil {
		return err
	}
	if a.json {
		err = ui.NewJSON(a.Out).Write(report)
	} else {
		err = report.WriteTable(a.Out)
	}
	if err == nil && !report.OK() {
		a.quiet = true // the report has said it
		return errChecksFailed
	}
	return err
}
