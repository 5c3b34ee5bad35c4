package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mattn/go-shellwords"

	"github.com/aproorg/sluice/internal/bounded"
	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/rehearse"
)

// Launch says how an app that somebody else wrote is started, in terms of the flags
// that every such app has.
type Launch struct {
	Command string   // --command, as a shell would read it
	Port    int      // --app-port: where it listens whatever PORT says; 0 means that it listens on PORT
	Ready   Ready    // --ready-path, --ready-status
	Scratch []string // --scratch: directories it writes to, below its own or absolute
}

// Refuse returns a *UsageError with the reason why where a flag was given that is not
// among the allowed.
func (l Launch) Refuse(why string, allowed ...string) error {
	var refused []string
	used := false
	for _, f := range []struct {
		flag string
		set  bool
	}{
		{"--command", l.Command != ""}, {"--app-port", l.Port != 0}, {"--ready-path", l.Ready.Path != ""},
		{"--ready-status", l.Ready.Status != ""}, {"--scratch", len(l.Scratch) > 0},
	} {
		if !slices.Contains(allowed, f.flag) {
			refused = append(refused, f.flag)
			used = used || f.set
		}
	}
	if !used {
		return nil
	}
	last := len(refused) - 1
	return &UsageError{fmt.Errorf("%s and %s go with --app DIR: %s", strings.Join(refused[:last], ", "), refused[last], why)}
}

// Or is what was asked for, or else what the app's preset says.
func (r Ready) Or(preset Ready) Ready {
	if r.Path == "" {
		r.Path = preset.Path
		if r.Status == "" {
			r.Status = preset.Status
		}
	}
	return r
}

// App describes the program that the user has in dir. The app is ready as the user
// says, or else as the preset does.
func (r Request) App(dir string, preset Ready) (rehearse.App, error) {
	dir, err := r.directory(dir)
	if err != nil {
		return rehearse.App{}, err
	}
	command, err := r.commandLine(dir)
	if err != nil {
		return rehearse.App{}, err
	}
	scratch, err := r.scratchDirs(dir)
	if err != nil {
		return rehearse.App{}, err
	}
	ready := r.Ready.Or(preset)
	return rehearse.App{
		Name: filepath.Base(dir), Command: command, Dir: dir, Scratch: scratch, Port: r.Port, ReadyPath: ready.Path, ReadyStatus: ready.Status,
		Env: r.Env, ImageEnv: []string{"PATH=" + r.Getenv("PATH"), "NODE_ENV=production"},
	}, nil
}

// LambdaFunction describes the function in dir, which asks for invocations itself.
// Without a command it is the program bootstrap there, as for Lambda's own runtimes
// provided.*.
func (r Request) LambdaFunction(dir, handler string, extensions []string) (rehearse.App, error) {
	const program = "bootstrap"
	dir, err := r.directory(dir)
	if err != nil {
		return rehearse.App{}, err
	}
	if r.Command == "" {
		_, err := exec.LookPath(filepath.Join(dir, program))
		if errors.Is(err, fs.ErrPermission) {
			return rehearse.App{}, hint.With(fmt.Errorf("find the function's command: %w", err), "make it executable (chmod +x): Lambda wants that too")
		}
		if err == nil {
			r.Command = "./" + program
		}
	}
	if r.Command == "" {
		return rehearse.App{}, &UsageError{hint.With(fmt.Errorf("no command for the function: %s has no program %s", dir, program),
			`give its runtime client with --command, such as --command "node node_modules/aws-lambda-ric/index.mjs app.handler"`)}
	}
	command, err := r.commandLine(dir)
	if err != nil {
		return rehearse.App{}, err
	}
	if n := len(command); handler == "" && n > 1 {
		handler = command[n-1] // as Amazon's runtime interface emulator takes it
	}
	f := &rehearse.Function{Task: dir, Handler: handler}
	for _, path := range extensions {
		if path, err = filepath.Abs(path); err == nil {
			_, err = exec.LookPath(path)
		}
		if err != nil {
			return rehearse.App{}, hint.With(fmt.Errorf("--extension: %w", err), "it is a program, as those in /opt/extensions")
		}
		f.Extensions = append(f.Extensions, lambda.Extension{Name: filepath.Base(path), Command: []string{path}})
	}
	return rehearse.App{
		Name: filepath.Base(dir), Command: command, Function: f, Port: r.Port, Env: r.Env, ImageEnv: []string{"PATH=" + r.Getenv("PATH")},
	}, nil
}

func (r Request) directory(name string) (string, error) {
	dir, err := filepath.Abs(name)
	if err != nil {
		return "", fmt.Errorf("find the app: %w", err)
	}
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err := hint.With(fmt.Errorf("find the app: there is no directory %s", name), "%s", r.directoryAdvice(name))
		if name == r.Name { // it came from the command line
			return "", &UsageError{err}
		}
		return "", err
	}
	if err != nil {
		return "", fmt.Errorf("find the app: %w", err)
	}
	if !info.IsDir() {
		return "", hint.With(fmt.Errorf("find the app: %s is a file", name), "name the directory that it is in")
	}
	return dir, nil
}

// directoryAdvice says what to give instead of a directory that does not exist.
func (r Request) directoryAdvice(name string) string {
	if name != r.Name {
		return "name the app's working directory"
	}
	return "--app takes " + strings.Join(r.Known, ", ") + ", or the app's working directory"
}

// scratchDirs are the directories as absolute paths of what is there.
func (r Request) scratchDirs(app string) ([]string, error) {
	var dirs []string
	for _, dir := range r.Scratch {
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

// commandLine splits the command line as a shell would, without its substitutions, or
// takes the start script of package.json where that is plain node.
func (r Request) commandLine(dir string) ([]string, error) {
	line := r.Command
	if line == "" {
		line = startScript(dir)
	}
	if line == "" {
		return nil, errNoCommand
	}
	words, err := shellwords.Parse(line)
	if err != nil {
		return nil, &UsageError{hint.With(fmt.Errorf("--command %q: %w", line, err), "mind the quotes; for more than one command give a script")}
	}
	if len(words) == 0 {
		return nil, errNoCommand
	}
	return words, checkProgram(dir, words[0])
}

var errNoCommand = &UsageError{hint.With(errors.New("no command for the app"), `give it with --command, such as --command "node server.js"`)}

// checkProgram finds out now what would else end every environment.
func checkProgram(dir, program string) error {
	if strings.Contains(program, "/") && !filepath.IsAbs(program) {
		program = filepath.Join(dir, program)
	}
	if _, err := exec.LookPath(program); err != nil {
		return hint.With(fmt.Errorf("find the app's command: %w", err), "--command is run in the directory of the app or function")
	}
	return nil
}

// maxPackageJSON bounds what is read of an app's package.json.
const maxPackageJSON = 4 << 20

// startScript is package.json's, if node is all that it needs: npm in between
// would take signals and memory.
func startScript(dir string) string {
	data, err := bounded.ReadFile(filepath.Join(dir, "package.json"), maxPackageJSON)
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
