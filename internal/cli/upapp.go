package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/mattn/go-shellwords"
	"github.com/spf13/pflag"

	"github.com/aproorg/sluice/internal/app/demo"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/rehearse"
)

// appOptions are the flags that say which app is rehearsed.
type appOptions struct {
	app         string
	command     string
	port        int
	readyPath   string
	readyStatus string
	env         []string
	envFiles    []string
	scratch     []string
}

func (o *appOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.app, "app", "demo", "demo, or the app's working directory `DIR`")
	f.StringVar(&o.command, "command", "", "the app's `COMMAND` line (default: a node start script of package.json)")
	f.IntVar(&o.port, "app-port", 0, "port that the app listens on whatever PORT says; there is one environment then (default: a free one for each, as PORT)")
	f.StringVar(&o.readyPath, "ready-path", "", "`PATH` that answers once the app is ready, or tcp for an open port alone (default: /health of the demo, / of another app)")
	f.StringVar(&o.readyStatus, "ready-status", "", "`STATUSES` of the ready path that mean ready, such as 200-399,404 (default: 200-399)")
	f.StringArrayVar(&o.scratch, "scratch", nil, "`DIR` that the app writes to, led into /tmp as a link in its image would be; below --app DIR or absolute; may be repeated")
	f.StringArrayVar(&o.env, "env", nil, "`NAME=VALUE` for the function's environment; may be repeated")
	f.StringArrayVar(&o.envFiles, "env-file", nil, "`FILE` with lines NAME=VALUE for the function's environment; may be repeated")
}

// resolve finds the app that was asked for.
func (o appOptions) resolve(a *app) (rehearse.Config, error) {
	if o.port < 0 || o.port > 65535 {
		return rehearse.Config{}, &usageError{fmt.Errorf("--app-port %d is no port number", o.port)}
	}
	if err := o.checkReadiness(); err != nil {
		return rehearse.Config{}, err
	}
	env, err := o.environment()
	if err != nil {
		return rehearse.Config{}, err
	}
	var c rehearse.Config
	if o.app == "demo" {
		c, err = o.demo(a)
	} else {
		c, err = o.directory(a)
	}
	if err != nil {
		return rehearse.Config{}, err
	}
	for name, value := range env {
		c.App.Env[name] = value
	}
	c.App.Port = o.port
	if o.readyPath != "" {
		c.App.ReadyPath = o.readyPath
	}
	c.App.ReadyStatus = o.readyStatus
	return c, nil
}

func (o appOptions) checkReadiness() error {
	if o.readyPath != "" && o.readyPath != settings.ReadyTCP && !strings.HasPrefix(o.readyPath, "/") {
		return &usageError{hint.With(fmt.Errorf("--ready-path %q does not begin with /", o.readyPath), "tcp waits for the port alone")}
	}
	if o.readyStatus == "" {
		return nil
	}
	if _, err := settings.ParseStatuses(o.readyStatus); err != nil {
		return &usageError{fmt.Errorf("--ready-status: %w", err)}
	}
	return nil
}

// demo is the app in this executable, with its site.
func (o appOptions) demo(a *app) (rehearse.Config, error) {
	if o.command != "" || len(o.scratch) > 0 {
		return rehearse.Config{}, &usageError{errors.New("--command and --scratch go with --app DIR: the demo app has its own command and writes nothing")}
	}
	executable, err := a.Executable()
	if err != nil {
		return rehearse.Config{}, fmt.Errorf("find the demo app's executable: %w", err)
	}
	return rehearse.Config{
		App: rehearse.App{
			Name: "demo", Command: []string{executable, demoAppCommand},
			ReadyPath: "/health", State: "DEMO_STATE_DIR",
			Env: map[string]string{"SLUICE_BUSY_PATH": "/busy"},
		},
		Site: demo.Site(),
	}, nil
}

// directory is an app that somebody else wrote.
func (o appOptions) directory(a *app) (rehearse.Config, error) {
	dir, err := filepath.Abs(o.app)
	if err != nil {
		return rehearse.Config{}, fmt.Errorf("find the app: %w", err)
	}
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return rehearse.Config{}, hint.With(fmt.Errorf("find the app: there is no directory %s", o.app), "--app takes demo or the app's working directory")
	}
	if err != nil {
		return rehearse.Config{}, fmt.Errorf("find the app: %w", err)
	}
	if !info.IsDir() {
		return rehearse.Config{}, hint.With(fmt.Errorf("find the app: %s is a file", o.app), "--app takes the app's working directory")
	}
	command, err := o.commandLine(dir)
	if err != nil {
		return rehearse.Config{}, err
	}
	scratch, err := o.scratchDirs(dir)
	if err != nil {
		return rehearse.Config{}, err
	}
	return rehearse.Config{App: rehearse.App{
		Name: filepath.Base(dir), Command: command, Dir: dir, ReadyPath: "/", Scratch: scratch,
		Env: map[string]string{}, ImageEnv: []string{"PATH=" + a.Getenv("PATH"), "NODE_ENV=production"},
	}}, nil
}

// scratchDirs are --scratch as absolute paths of directories that are there.
func (o appOptions) scratchDirs(app string) ([]string, error) {
	var dirs []string
	for _, dir := range o.scratch {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(app, dir)
		}
		if info, err := os.Stat(dir); err != nil {
			return nil, hint.With(fmt.Errorf("--scratch: %w", err), "make the directory first: what is written there stays in each environment's /tmp")
		} else if !info.IsDir() {
			return nil, hint.With(fmt.Errorf("--scratch %s is a file", dir), "name the directory that it is in")
		}
		dirs = append(dirs, dir)
	}
	return dirs, nil
}

// commandLine splits --command as a shell would, without its substitutions, or
// takes the start script of package.json where that is plain node.
func (o appOptions) commandLine(dir string) ([]string, error) {
	line := o.command
	if line == "" {
		line = startScript(dir)
	}
	if line == "" {
		return nil, &usageError{errNoCommand}
	}
	words, err := shellwords.Parse(line)
	if err != nil {
		return nil, &usageError{hint.With(fmt.Errorf("--command %q: %w", line, err), "mind the quotes; for more than one command give a script")}
	}
	if len(words) == 0 {
		return nil, &usageError{errNoCommand}
	}
	return words, checkProgram(dir, words[0])
}

// checkProgram finds out now what would else end every environment.
func checkProgram(dir, program string) error {
	if strings.Contains(program, "/") && !filepath.IsAbs(program) {
		program = filepath.Join(dir, program)
	}
	if _, err := exec.LookPath(program); err != nil {
		return hint.With(fmt.Errorf("find the app's command: %w", err), "--command is run in the directory of --app")
	}
	return nil
}

// startScript is package.json's, if node is all that it needs: npm in between
// would take signals and memory.
func startScript(dir string) string {
	data, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		return ""
	}
	var manifest struct {
		Scripts struct{ Start string }
	}
	if json.Unmarshal(data, &manifest) != nil || !strings.HasPrefix(manifest.Scripts.Start, "node ") {
		return ""
	}
	return manifest.Scripts.Start
}
