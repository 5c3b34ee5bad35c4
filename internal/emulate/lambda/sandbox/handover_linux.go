package sandbox

import (
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// The shell that becomes the sandbox stays as its first process, whose environment every other process in it can read. So that
// it holds no secrets, the command's environment is handed over apart from it.

// shellsOwn are variables that shells do not let a script set, or read as they run it.
var shellsOwn = regexp.MustCompile(`^(PATH|IFS|_|UID|EUID|PPID|OPTIND|LINENO|SHELLOPTS|BASH.*|ENV|PS[0-9])=`)

// scriptable is a variable that a shell can set.
var scriptable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

// divide gives the variables that the shell has from the start, and a script that sets the others.
func divide(env []string) (own []string, script string) {
	own = []string{} // nil would be our own
	var b strings.Builder
	for _, entry := range env {
		if shellsOwn.MatchString(entry) || !scriptable.MatchString(entry) {
			own = append(own, entry)
			continue
		}
		name, value, _ := strings.Cut(entry, "=")
		b.WriteString("export " + name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'\n")
	}
	return own, b.String()
}

// handOver lets the command read a text as its file 3.
func handOver(cmd *exec.Cmd, text string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.ExtraFiles = []*os.File{r}
	go func() {
		defer w.Close()
		_, _ = io.WriteString(w, text) // fails where nobody reads
	}()
	return nil
}
