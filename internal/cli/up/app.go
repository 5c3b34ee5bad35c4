package up

import (
	"fmt"
	"maps"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	apps "github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/app/presets"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/hint"
)

// appOptions are the flags that say which app is rehearsed, and how it is started.
type appOptions struct {
	name     string
	launch   apps.Launch
	env      []string
	envFiles []string

	rehearsals map[string]apps.Rehearsal // by preset
	own        command.AppFlags
}

func (o *appOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.name, "app", presets.Rehearsed().Name, "`NAME` of an app that Sluice knows, or the app's working directory")
	f.StringVar(&o.launch.Command, "command", "", "the app's `COMMAND` line (default: a node start script of package.json)")
	f.IntVar(&o.launch.Port, "app-port", 0, "port that the app listens on whatever PORT says; there is one environment then (default: a free one for each, as PORT;\na function need not listen)")
	f.StringVar(&o.launch.Ready.Path, "ready-path", "", "`PATH` that answers once the app is ready, or tcp for an open port alone (default: the app's own, / of one in a directory)")
	f.StringVar(&o.launch.Ready.Status, "ready-status", "", "`STATUSES` of the ready path that mean ready, such as 200-399,404 (default: 200-399)")
	f.StringArrayVar(&o.launch.Scratch, "scratch", nil, "`DIR` that the app writes to, led into /tmp as a link in its image would be; below --app DIR or absolute; may be repeated")
	f.StringArrayVar(&o.env, "env", nil, "`NAME=VALUE` for the function's environment; may be repeated")
	f.StringArrayVar(&o.envFiles, "env-file", nil, "`FILE` with lines NAME=VALUE for the function's environment; may be repeated")
}

// addOwnFlags adds what each app has of its own.
func (o *appOptions) addOwnFlags(cmd *cobra.Command) {
	o.rehearsals = map[string]apps.Rehearsal{}
	for _, p := range append(presets.All(), directoryPreset()) {
		if p.Rehearsal != nil {
			o.rehearsals[p.Name] = p.Rehearsal()
			o.own.Add(cmd.Flags(), p.Name, o.rehearsals[p.Name])
		}
	}
	o.own.Help(cmd, o.preset, command.AppList("Apps, for --app:", func(p apps.Preset) bool { return p.Rehearsal != nil }, directoryPreset()))
}

// directoryPreset is that of an app in a directory.
func directoryPreset() apps.Preset { return presets.ForRehearsal("") }

// preset is the name of the preset that --app means.
func (o *appOptions) preset() string { return presets.ForRehearsal(o.name).Name }

func (o *appOptions) rehearsal() apps.Rehearsal { return o.rehearsals[o.preset()] }

// request is what the flags ask of the app.
func (o *appOptions) request(p *command.Program) (apps.Request, error) {
	if o.launch.Port < 0 || o.launch.Port > 65535 {
		return apps.Request{}, command.Usagef("--app-port %d is no port number", o.launch.Port)
	}
	if err := checkReadiness(o.launch.Ready); err != nil {
		return apps.Request{}, err
	}
	env, err := o.environment()
	if err != nil {
		return apps.Request{}, err
	}
	return apps.Request{
		Name: o.name, Known: presets.Names(), Launch: o.launch, Env: env,
		Getenv: p.Getenv, Executable: p.Executable, Warn: p.Warn,
	}, nil
}

func checkReadiness(ready apps.Ready) error {
	if ready.Path != "" && ready.Path != settings.ReadyTCP && !strings.HasPrefix(ready.Path, "/") {
		return command.Usage(hint.With(fmt.Errorf("--ready-path %q does not begin with /", ready.Path), "tcp waits for the port alone"))
	}
	if ready.Status == "" {
		return nil
	}
	if _, err := settings.ParseStatuses(ready.Status); err != nil {
		return command.Usagef("--ready-status: %w", err)
	}
	return nil
}

// environment is what --env-file and --env configure; --env wins.
func (o *appOptions) environment() (map[string]string, error) {
	env := map[string]string{}
	for _, path := range o.envFiles {
		file, err := command.EnvironmentFile(path)
		if err != nil {
			return nil, err
		}
		maps.Copy(env, file)
	}
	flags, err := command.Assignments("--env", o.env)
	if err != nil {
		return nil, err
	}
	maps.Copy(env, flags)
	return env, nil
}
