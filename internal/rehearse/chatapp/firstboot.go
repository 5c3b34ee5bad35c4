package chatapp

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/aproorg/sluice/internal/librechat"
)

// boot is a LibreChat that starts outside of the rehearsed path to make the
// indexes of an empty database. Environments do not make them: many that boot at
// once on an empty database race.
type boot struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// Bounds of the first boot: LibreChat answers /health after 3 to 10 s, and makes
// its indexes in the seconds around that.
const (
	bootLimit   = 2 * time.Minute
	bootIndexes = 3 * time.Second
)

// firstBoot starts the boot; requests need not wait for its end.
func (c *Chat) firstBoot(ctx context.Context, env map[string]string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	config, err := c.configFile()
	if err != nil {
		return err
	}
	env = maps.Clone(env)
	maps.Copy(env, map[string]string{
		"MONGO_AUTO_INDEX": "true", "MONGO_AUTO_CREATE": "true", "PORT": strconv.Itoa(port), "CONFIG_PATH": config,
		"PATH": c.cfg.Path, "LIBRECHAT_LOG_DIR": c.cfg.Stores.Dir,
		// An AWS client without credentials only warns; with these it stays silent.
		"AWS_ACCESS_KEY_ID": "rehearsal", "AWS_SECRET_ACCESS_KEY": "rehearsal",
	})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bootLimit)
	command := c.cfg.Release.Command()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = c.cfg.Release.WorkDir()
	for _, name := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, name+"="+env[name])
	}
	ownGroup(cmd)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		cancel()
		return fmt.Errorf("start LibreChat to make its indexes: %w", err)
	}
	c.boot = &boot{cancel: cancel}
	c.boot.done.Go(func() { _ = cmd.Wait() }) // it is ended by a signal
	c.boot.done.Go(func() {
		defer cancel()
		awaitHealth(ctx, port)
		sleep(ctx, bootIndexes)
	})
	return nil
}

// stop ends the boot and waits for it. A nil boot is none.
func (b *boot) stop() {
	if b == nil {
		return
	}
	b.cancel()
	b.done.Wait()
}

// configFile keeps librechat.yaml where the first boot reads it.
func (c *Chat) configFile() (string, error) {
	path := filepath.Join(c.cfg.Stores.Dir, "librechat.yaml")
	if err := os.WriteFile(path, c.config, 0o600); err != nil {
		return "", fmt.Errorf("keep librechat.yaml: %w", err)
	}
	return path, nil
}

// awaitHealth returns when the server answers, or ctx ends.
func awaitHealth(ctx context.Context, port int) {
	url := "http://127.0.0.1:" + strconv.Itoa(port) + librechat.ReadyPath
	for ctx.Err() == nil {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
			return
		}
		sleep(ctx, 200*time.Millisecond)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port on 127.0.0.1: %w", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
