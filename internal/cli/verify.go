package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	apps "github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/app/presets"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/probe"
	"github.com/aproorg/sluice/internal/ui"
)

// checkOptions are the flags by which verify and deploy say what is checked, and how.
type checkOptions struct {
	app         string // empty is whichever app the site serves
	description string
	quick       bool
	silence     time.Duration
	timeout     time.Duration
	vars        []string
	varsFlag    string

	probes map[string]apps.Probe // by preset
	own    appFlags
}

// addFlags adds the flags that both commands have. vars is the name of the flag for
// variables.
func (o *checkOptions) addFlags(f *pflag.FlagSet, vars string) {
	f.StringVar(&o.app, "app", "", "`NAME` of the app whose paths are checked (default: the one that the site serves)")
	f.StringVar(&o.description, "describe", "", "`FILE` with a probe description (JSON) of another app")
	f.BoolVar(&o.quick, "quick", false, "shorten the silences: seconds instead of a minute, and less is proved")
	o.varsFlag = "--" + vars
	f.StringArrayVar(&o.vars, vars, nil, "`NAME=VALUE` for ${NAME} in the description, such as a login's password; may be repeated")
}

// addOwnFlags adds what each app has of its own.
func (o *checkOptions) addOwnFlags(command *cobra.Command) {
	o.probes = map[string]apps.Probe{}
	for _, p := range presets.All() {
		if p.Probe != nil {
			o.probes[p.Name] = p.Probe()
			o.own.add(command.Flags(), p.Name, o.probes[p.Name])
		}
	}
	o.own.help(command, func() string { return o.app }, appList("Apps, for --app:", func(p apps.Preset) bool { return p.Probe != nil }))
}

func newVerify(a *app) *cobra.Command {
	o := &checkOptions{}
	command := &cobra.Command{
		Use:   "verify URL",
		Short: "Check a deployed or rehearsed site from outside: does it stream?",
		Long: `Verify checks what some hop between the app and the browser is known to spoil:
streams that are collected, errors that become pages, lost cookies, cut bodies,
cache and security headers. The checks are the same for a rehearsal and for AWS.

Which paths are checked depends on the app. Verify finds out by itself which app the
site serves; of one that it does not know it checks what holds for any.`,
		Example: appExamples("verify") + `
  sluice verify https://example.com --describe checks.json
  sluice verify http://127.0.0.1:8080 --quick --json`,
		Args:        cobra.ExactArgs(1),
		Annotations: exitCodes("0  every check passed or was skipped", "1  a check failed, or none could be made"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runVerify(cmd.Context(), a, o, args[0], cmd.Flags())
		},
	}
	f := command.Flags()
	o.addFlags(f, "var")
	f.DurationVar(&o.silence, "silence", 0, "how long a stream is asked to be silent (default 1m0s, or 2s with --quick)")
	f.DurationVar(&o.timeout, "timeout", time.Minute, "longest time of one check, silences not counted")
	o.addOwnFlags(command)
	return command
}

var errChecksFailed = errors.New("checks have failed")

func runVerify(ctx context.Context, a *app, o *checkOptions, url string, flags *pflag.FlagSet) error {
	check, err := o.ready(a, flags)
	if err != nil {
		return err
	}
	err = check(ctx, url)
	if errors.Is(err, errChecksFailed) {
		a.quiet = true // the report has said it
	}
	return err
}

// ready reads what the flags name before anything is asked, and returns the check of
// a site: it shows its progress and writes the report.
func (o *checkOptions) ready(a *app, flags *pflag.FlagSet) (func(ctx context.Context, url string) error, error) {
	vars, err := assignments(o.varsFlag, o.vars)
	if err != nil {
		return nil, err
	}
	describe := func(ctx context.Context, url string) (probe.Description, error) {
		return o.detect(ctx, a, flags, apps.Question{URL: url, Vars: vars, Note: a.note})
	}
	switch known, ok := o.probes[o.app]; {
	case o.description != "":
		d, err := readDescription(o.description)
		if err != nil {
			return nil, err
		}
		describe = func(context.Context, string) (probe.Description, error) { return d, nil }
	case o.app != "" && !ok:
		return nil, &usageError{hint.With(fmt.Errorf("no checks are known for app %q", o.app), "--app %s, or --describe FILE", strings.Join(o.names(), ", --app "))}
	case ok:
		if err := o.own.check(flags, o.app); err != nil {
			return nil, err
		}
		describe = func(ctx context.Context, url string) (probe.Description, error) {
			return known.Describe(ctx, apps.Question{URL: url, Vars: vars, Note: a.note})
		}
	}
	return func(ctx context.Context, url string) error {
		description, err := describe(ctx, url)
		if err != nil {
			return usageOf(fmt.Errorf("verify %s: %w", url, err))
		}
		return o.run(ctx, a, url, description, vars)
	}, nil
}

// names are those of the apps that can be checked.
func (o *checkOptions) names() []string {
	var names []string
	for _, name := range presets.Names() {
		if o.probes[name] != nil {
			names = append(names, name)
		}
	}
	return names
}

func readDescription(file string) (probe.Description, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return probe.Description{}, fmt.Errorf("read the probe description: %w", err)
	}
	d, err := probe.ParseDescription(data)
	if err != nil {
		return probe.Description{}, fmt.Errorf("probe description %s: %w", file, err)
	}
	return d, nil
}

// detect finds out which app serves the site, and says so.
func (o *checkOptions) detect(ctx context.Context, a *app, flags *pflag.FlagSet, q apps.Question) (probe.Description, error) {
	visit := apps.NewVisit(q.URL)
	if err := visit.Check(); err != nil {
		return probe.Description{}, err
	}
	if visit.Get(ctx, "/").Status == 0 {
		return probe.Unknown(false), ctx.Err() // the checks say why it cannot be reached
	}
	preset, found := presets.Detect(ctx, visit)
	if err := o.own.check(flags, preset.Name); err != nil {
		return probe.Description{}, err
	}
	if found {
		a.note(fmt.Errorf("%s serves %s", q.URL, preset.Title))
		return o.probes[preset.Name].Describe(ctx, q)
	}
	a.note(hint.With(fmt.Errorf("%s serves no app that Sluice knows, so only what holds for any site is checked", q.URL),
		"--describe FILE names an app's own paths, see docs/apps.md; --app NAME takes it for one of %s", strings.Join(o.names(), ", ")))
	return probe.Unknown(visit.Get(ctx, "/").IsHTML()), nil
}

// run makes the checks of a site.
func (o *checkOptions) run(ctx context.Context, a *app, url string, description probe.Description, vars map[string]string) error {
	progress := ui.NewTerminal(a.Err, a.Getenv)
	report, err := probe.Run(ctx, url, description, probe.Options{
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
		return errChecksFailed
	}
	return err
}
