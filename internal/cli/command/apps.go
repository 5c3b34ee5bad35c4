package command

import (
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	apps "github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/app/presets"
	"github.com/aproorg/sluice/internal/hint"
)

// AppFlags are the flags of a command that take effect with one app only. All are
// parsed, whatever the app; --help shows those of the app that --app names.
type AppFlags struct{ apps []ownFlags }

type ownFlags struct {
	app   string
	flags []string
}

// Add defines the flags of one app. It panics where the command, or another app, has
// a flag of that name: one of them would be without effect.
func (f *AppFlags) Add(flags *pflag.FlagSet, app string, options apps.Options) {
	own := ownFlags{app: app}
	set := flag.NewFlagSet("", flag.ContinueOnError)
	options.Flags(set)
	set.VisitAll(func(g *flag.Flag) {
		if flags.Lookup(g.Name) != nil {
			panic("two flags --" + g.Name + ": one is the app " + app + "'s")
		}
		flags.AddGoFlag(g)
		own.flags = append(own.flags, g.Name)
	})
	f.apps = append(f.apps, own)
}

// Check refuses flags of other apps, which would have no effect.
func (f *AppFlags) Check(flags *pflag.FlagSet, app string) error {
	for _, own := range f.apps {
		i := slices.IndexFunc(own.flags, flags.Changed)
		if own.app != app && i >= 0 {
			return Usagef("--%s goes with --app %s", own.flags[i], own.app)
		}
	}
	return nil
}

// Help has the command's --help show the flags of the app that app returns, and the
// names of all apps.
func (f *AppFlags) Help(command *cobra.Command, app func() string, list string) {
	command.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		others := false
		for _, own := range f.apps {
			for _, name := range own.flags {
				cmd.Flags().Lookup(name).Hidden = own.app != app()
				others = others || own.app != app()
			}
		}
		cmd.Long += "\n\n" + list
		if others {
			cmd.Long += fmt.Sprintf("\n\n\"%s --app NAME --help\" shows an app's own flags.", cmd.CommandPath())
		}
		cmd.Parent().HelpFunc()(cmd, args)
	})
}

// UnknownApp refuses an --app that no preset has, and names those that there are.
func UnknownApp(name string) error {
	return Usage(hint.With(fmt.Errorf("--app %s: no such app is known", name), "--app %s", strings.Join(presets.Names(), ", --app ")))
}

// AppList names the apps that have what a command needs.
func AppList(title string, has func(apps.Preset) bool, more ...apps.Preset) string {
	lines := []string{title}
	listed := slices.DeleteFunc(append(presets.All(), more...), func(p apps.Preset) bool { return !has(p) })
	width := 0
	for _, p := range listed {
		width = max(width, len(p.Name))
	}
	for _, p := range listed {
		lines = append(lines, fmt.Sprintf("  %-*s  %s", width+1, p.Name, p.Short))
	}
	return strings.Join(lines, "\n")
}

// AppExamples are the command lines that presets have for a command.
func AppExamples(command string, more ...apps.Preset) string {
	var lines []string
	for _, p := range append(presets.All(), more...) {
		lines = append(lines, p.Examples[command]...)
	}
	return "  " + strings.Join(lines, "\n  ")
}
