// Package check is the command that checks a site from outside, verify, and the same
// check as deploy makes it at its end: which app the site serves, what is checked of
// it, the progress and the report.
//
// It leaves out the checks themselves (package probe), and which paths an app has,
// which its preset says.
package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	apps "github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/app/presets"
	"github.com/aproorg/sluice/internal/bounded"
	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/probe"
	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
)

// Options is the flags by which verify and deploy say what is checked, and how.
type Options struct {
	App          string // empty is whichever app the site serves
	description  string
	quick        bool
	silence      time.Duration
	timeout      time.Duration
	environments int
	distinct     []string
	vars         []string
	varsFlag     string

	probes map[string]apps.Probe // by preset
	own    command.AppFlags
}

// AddFlags adds the flags that both commands have. vars is the name of the flag for
// variables.
func (o *Options) AddFlags(f *pflag.FlagSet, vars string) {
	f.StringVar(&o.App, "app", "", "`NAME` of the app whose paths are checked (default: the one that the site serves)")
	f.StringVar(&o.description, "describe", "", "`FILE` with a probe description (JSON) of another app")
	f.BoolVar(&o.quick, "quick", false, "shorten the silences: seconds instead of a minute, and less is proved")
	o.varsFlag = "--" + vars
	f.StringArrayVar(&o.vars, vars, nil, "`NAME=VALUE` for ${NAME} in the description, such as a login's password; may be repeated")
}

// AddOwnFlags adds what each app has of its own.
func (o *Options) AddOwnFlags(cmd *cobra.Command) {
	o.probes = map[string]apps.Probe{}
	for _, p := range presets.All() {
		if p.Probe != nil {
			o.probes[p.Name] = p.Probe()
			o.own.Add(cmd.Flags(), p.Name, o.probes[p.Name])
		}
	}
	o.own.Help(cmd, func() string { return o.App }, command.AppList("Apps, for --app:", func(p apps.Preset) bool { return p.Probe != nil }))
}

// ErrFailed is the error of a check whose report, already written, says what failed.
var ErrFailed = errors.New("checks have failed")

// Ready reads what the flags name before the site is asked anything, and returns the
// check of a site: it shows its progress and writes the report.
func (o *Options) Ready(p *command.Program, flags *pflag.FlagSet) (func(ctx context.Context, url string) error, error) {
	vars, err := command.Assignments(o.varsFlag, o.vars)
	if err != nil {
		return nil, err
	}
	ids, err := o.ids()
	if err != nil {
		return nil, err
	}
	describe := func(ctx context.Context, url string) (description.Description, error) {
		return o.detect(ctx, p, flags, apps.Question{URL: url, Vars: vars, Note: p.Note})
	}
	switch known, ok := o.probes[o.App]; {
	case o.description != "":
		d, err := readDescription(o.description)
		if err != nil {
			return nil, err
		}
		describe = func(context.Context, string) (description.Description, error) { return d, nil }
	case o.App != "" && !ok:
		return nil, command.Usage(hint.With(fmt.Errorf("no checks are known for app %q", o.App), "--app %s, or --describe FILE", strings.Join(o.names(), ", --app ")))
	case ok:
		if err := o.own.Check(flags, o.App); err != nil {
			return nil, err
		}
		describe = func(ctx context.Context, url string) (description.Description, error) {
			return known.Describe(ctx, apps.Question{URL: url, Vars: vars, Note: p.Note})
		}
	}
	return func(ctx context.Context, url string) error {
		d, err := describe(ctx, url)
		if err != nil {
			return fmt.Errorf("verify %s: %w", url, err)
		}
		d.Distinct = append(d.Distinct, ids...)
		return o.run(ctx, p, url, d, vars)
	}, nil
}

// ids are the answers that --distinct names.
func (o *Options) ids() ([]description.Distinct, error) {
	if o.environments < 0 || o.environments == 1 || o.environments > 100 {
		return nil, command.Usagef("--environments %d: want 2 to 100", o.environments)
	}
	var all []description.Distinct
	for _, text := range o.distinct {
		d, err := description.ParseDistinct(text)
		if err != nil {
			return nil, command.Usagef("--distinct: %w", err)
		}
		all = append(all, d)
	}
	return all, nil
}

// names are those of the apps that can be checked.
func (o *Options) names() []string {
	var names []string
	for _, name := range presets.Names() {
		if o.probes[name] != nil {
			names = append(names, name)
		}
	}
	return names
}

// maxDescription bounds what is read of a description.
const maxDescription = 1 << 20

func readDescription(file string) (description.Description, error) {
	data, err := bounded.ReadFile(file, maxDescription)
	if err != nil {
		return description.Description{}, fmt.Errorf("read the probe description: %w", err)
	}
	d, err := description.Parse(data)
	if err != nil {
		return description.Description{}, fmt.Errorf("probe description %s: %w", file, err)
	}
	return d, nil
}

// detect finds out which app serves the site, and says so.
func (o *Options) detect(ctx context.Context, p *command.Program, flags *pflag.FlagSet, q apps.Question) (description.Description, error) {
	visit := apps.NewVisit(q.URL)
	if err := visit.Check(); err != nil {
		return description.Description{}, command.Usage(err)
	}
	preset, found, err := o.find(ctx, p, visit)
	if err != nil {
		return description.Description{}, err
	}
	if visit.Get(ctx, "/").Status == 0 {
		return description.Unknown(false), nil // the checks say why it cannot be reached
	}
	if err := o.own.Check(flags, preset.Name); err != nil {
		return description.Description{}, err
	}
	if found {
		p.Note(fmt.Errorf("%s serves %s", q.URL, preset.Title))
		return o.probes[preset.Name].Describe(ctx, q)
	}
	p.Note(hint.With(fmt.Errorf("%s serves no app that Sluice knows, so only what holds for any site is checked", q.URL),
		"--describe FILE names an app's own paths, see docs/apps.md; --app NAME takes it for one of %s", strings.Join(o.names(), ", ")))
	return description.Unknown(visit.Get(ctx, "/").IsHTML()), nil
}

// find asks the site what it serves, within the time of one check.
func (o *Options) find(ctx context.Context, p *command.Program, visit *apps.Visit) (apps.Preset, bool, error) {
	limit := cmp.Or(o.timeout, time.Minute)
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	progress := p.Progress()
	progress.Status("finding out which app it is …")
	defer progress.Status("")
	if first := visit.Get(limited, "/"); first.Late {
		return apps.Preset{}, false, cmp.Or(ctx.Err(), hint.With(fmt.Errorf("GET / got no answer within %s", min(limit, apps.VisitLimit)),
			"does the app answer at this address?"))
	} else if first.Status == 0 {
		return apps.Preset{}, false, ctx.Err()
	}
	preset, found := presets.Detect(limited, visit)
	return preset, found, ctx.Err()
}

// run makes the checks of a site.
func (o *Options) run(ctx context.Context, p *command.Program, url string, d description.Description, vars map[string]string) error {
	progress := p.Progress()
	found, err := probe.Run(ctx, url, d, probe.Options{
		Quick: o.quick, Silence: o.silence, Timeout: o.timeout, Vars: vars, Environments: o.environments,
		Progress: func(r report.Result, done bool) {
			if !done {
				progress.Status("checking " + r.Name + " …")
			}
		},
	})
	progress.Status("")
	if err != nil {
		return err
	}
	if p.JSON {
		err = p.WriteJSON(found)
	} else {
		err = found.WriteTable(p.Out)
	}
	if err == nil && !found.OK() {
		return ErrFailed
	}
	return err
}
