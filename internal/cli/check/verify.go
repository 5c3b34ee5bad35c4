package check

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/aproorg/sluice/internal/cli/command"
)

// NewVerify declares verify.
func NewVerify(p *command.Program) *cobra.Command {
	o := &Options{}
	cmd := &cobra.Command{
		Use:   "verify URL",
		Short: "Check a deployed or rehearsed site from outside: does it stream?",
		Long: `Verify checks what some hop between the app and the browser is known to spoil:
streams that are collected, errors that become pages, lost cookies, cut bodies,
cache and security headers. The checks are the same for a rehearsal and for AWS.

Which paths are checked depends on the app. Verify finds out by itself which app the
site serves. For an app that it does not know, it checks what holds for any site.`,
		Example: command.AppExamples("verify") + `
  sluice verify https://example.com --describe checks.json
  sluice verify http://127.0.0.1:8080 --quick --json`,
		Args:        cobra.ExactArgs(1),
		Annotations: command.ExitCodes("0  every check passed or was skipped", "1  a check failed, or none could be made"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runVerify(cmd.Context(), p, o, args[0], cmd.Flags())
		},
	}
	f := cmd.Flags()
	o.AddFlags(f, "var")
	f.DurationVar(&o.silence, "silence", 0, "how long a stream is asked to be silent (default 1m0s, or 2s with --quick)")
	f.IntVar(&o.environments, "environments", 0, "how many environments are asked for ids at once, `N` (default: 6 in a rehearsal with SnapStart, else none:\neach may be started for it)")
	f.StringArrayVar(&o.distinct, "distinct", nil, "`PATH` that answers with ids, no two of which may be equal; PATH#FIELD, PATH#cookie:NAME or PATH#header:NAME\nsays where they are (repeatable; default: the app's own)")
	f.DurationVar(&o.timeout, "timeout", time.Minute, "longest time of one check, silences not counted")
	o.AddOwnFlags(cmd)
	return cmd
}

func runVerify(ctx context.Context, p *command.Program, o *Options, url string, flags *pflag.FlagSet) error {
	check, err := o.Ready(p, flags)
	if err != nil {
		return err
	}
	err = check(ctx, url)
	if errors.Is(err, ErrFailed) {
		p.Reported = true
	}
	return err
}
