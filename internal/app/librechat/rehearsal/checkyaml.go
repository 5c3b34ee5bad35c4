package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/configfile"
	"github.com/aproorg/sluice/internal/hint"
)

// checkLimit bounds the release's own look at librechat.yaml, which takes 0.2 s.
const checkLimit = 30 * time.Second

// checkYAML finds what is wrong with the user's librechat.yaml before anything is
// started: with the release's own parser and schema, and as the bootstrap does.
func (l *LibreChat) checkYAML(ctx context.Context) error {
	if l.cfg.YAML == nil {
		return nil
	}
	if err := l.checkSchema(ctx); err != nil {
		return err
	}
	if err := configfile.Check(l.cfg.YAML); err != nil {
		return fmt.Errorf("librechat.yaml %s: %w", l.cfg.YAMLFile, err)
	}
	return nil
}

func (l *LibreChat) checkSchema(ctx context.Context) error {
	if strings.EqualFold(l.cfg.Env[facts.UncheckedConfig], "true") {
		return nil
	}
	file, err := filepath.Abs(l.cfg.YAMLFile)
	if err != nil {
		return fmt.Errorf("find librechat.yaml: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	command := l.cfg.Release.ConfigCheck(file)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = []string{"PATH=" + l.cfg.Path}
	cmd.WaitDelay = time.Second
	ownGroup(cmd)
	runtime.LockOSThread() // as startOwn keeps it
	defer runtime.UnlockOSThread()
	output, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit) && exit.ExitCode() == facts.ConfigRefused:
		return fmt.Errorf("librechat.yaml %s is refused by LibreChat %s:\n  %s", l.cfg.YAMLFile, l.cfg.Release.Version,
			strings.ReplaceAll(strings.TrimSpace(string(output)), "\n", "\n  "))
	case errors.Is(err, exec.ErrNotFound):
		return hint.With(fmt.Errorf("check librechat.yaml: %w", err), "LibreChat runs on Node 20; put it on the PATH")
	}
	return fmt.Errorf("check librechat.yaml with LibreChat %s: %w", l.cfg.Release.Version, err)
}
