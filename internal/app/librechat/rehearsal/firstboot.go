package rehearsal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/freeport"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/rehearse/stores"
	"github.com/aproorg/sluice/internal/timeline"
)

// boot is a LibreChat that starts outside of the rehearsed path to make the
// indexes of an empty database. Environments do not make them: many that boot at
// once on an empty database race.
type boot struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	over   chan struct{} // closed when the indexes and the user are there, or the boot has failed
	told   sync.Once     // that requests wait

	through time.Time // valid once over is closed
}

// Bounds of the first boot: LibreChat answers /health after 3 to 10 s, on a machine at
// work after minutes, and makes its indexes in the seconds around that. They are made when it has asked nothing of
// the database for bootQuiet, or at last after bootIndexes.
const (
	bootLimit   = 10 * time.Minute
	bootQuiet   = 1500 * time.Millisecond
	bootIndexes = 20 * time.Second
)

// process is a LibreChat outside of the rehearsed path, with variables of its own
// on top of the rehearsal's. It is ended by the end of ctx.
func (l *LibreChat) process(ctx context.Context, own map[string]string) (cmd *exec.Cmd, base string, err error) {
	port, err := freeport.Pick("127.0.0.1")
	if err != nil {
		return nil, "", fmt.Errorf("find a free port on 127.0.0.1: %w", err)
	}
	config, err := l.configFile()
	if err != nil {
		return nil, "", err
	}
	env := maps.Clone(l.env)
	maps.Copy(env, map[string]string{
		"PORT": strconv.Itoa(port), "CONFIG_PATH": config, "PATH": l.cfg.Path, "LIBRECHAT_LOG_DIR": l.cfg.Stores.Dir,
		// It is no Lambda environment, whose role would have a session token.
		"AWS_ACCESS_KEY_ID": l.Stores.User.ID, "AWS_SECRET_ACCESS_KEY": l.Stores.User.Secret,
	})
	maps.Copy(env, own)
	command := l.cfg.Release.Command()
	cmd = exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = l.cfg.Release.WorkDir()
	for _, name := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, name+"="+env[name])
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd, "http://127.0.0.1:" + strconv.Itoa(port), nil
}

// firstBoot starts the boot, for whose end requests wait; see Prepared.
func (l *LibreChat) firstBoot(ctx context.Context) (*boot, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bootLimit)
	cmd, base, err := l.process(ctx, map[string]string{
		"MONGO_AUTO_INDEX": "true", "MONGO_AUTO_CREATE": "true", "MONGO_URI": l.Stores.Mongo.URI(database, stores.FirstBoot),
	})
	b := &boot{cancel: cancel, over: make(chan struct{})}
	lines := newTranscript("")
	if err == nil {
		cmd.Stdout, cmd.Stderr = lines, lines
		err = startOwn(&b.done, cmd, func() {
			_ = cmd.Wait() // it is ended by a signal
			cancel()
		})
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("start LibreChat to make its indexes: %w", err)
	}
	b.done.Go(func() {
		defer func() {
			b.through = time.Now()
			close(b.over)
		}()
		defer cancel()
		if err := l.awaitIndexes(ctx, base); err != nil {
			words := cmp.Or(strings.TrimSpace(string(lines.tail())), "none")
			l.notice("the first boot, which makes the indexes and the user %s, has failed: %s; LibreChat's last words: %s", facts.UserEmail, hint.Text(err), words)
		}
	})
	return b, nil
}

// awaitIndexes returns when the booted LibreChat has made its indexes, and the user.
func (l *LibreChat) awaitIndexes(ctx context.Context, base string) error {
	awaitHealth(ctx, base+l.cfg.Release.ReadyPath(), 200*time.Millisecond)
	l.awaitQuiet(ctx)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return hint.With(fmt.Errorf("it took longer than %v", bootLimit), "if this machine is busy, run less beside it, and start the rehearsal again")
	case ctx.Err() != nil:
		return errors.New("LibreChat has ended")
	}
	return register(ctx, base)
}

// awaitQuiet returns when the boot has asked nothing of the database for a while.
func (l *LibreChat) awaitQuiet(ctx context.Context) {
	limit := time.Now().Add(bootIndexes)
	before, since := -1, time.Now()
	for time.Since(since) < bootQuiet && time.Now().Before(limit) && ctx.Err() == nil {
		asked := 0
		for _, client := range l.Stores.Mongo.Clients() {
			if client.App == stores.FirstBoot {
				asked = client.Commands
			}
		}
		if asked != before {
			before, since = asked, time.Now()
		}
		sleep(ctx, 50*time.Millisecond)
	}
}

func (l *LibreChat) notice(format string, args ...any) {
	l.cfg.Stores.Record.Emit(timeline.Event{Kind: timeline.Notice, Note: fmt.Sprintf(format, args...)})
}

// register makes the user of a rehearsal. A database that was kept has it.
func register(ctx context.Context, base string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+facts.RegisterPath, strings.NewReader(facts.Registration()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("LibreChat answered %s", response.Status)
	}
	return nil
}

// Prepared returns when an empty database has its indexes and the rehearsal's
// user, or ctx ends. Requests that come earlier wait for it: environments that start
// beside the first boot would make the same roles and indexes, and fail at those that
// are there already.
func (l *LibreChat) Prepared(ctx context.Context) error {
	select {
	case <-l.boot.over:
		return nil
	default:
	}
	l.boot.told.Do(func() { l.notice("requests wait for the first boot, which makes the indexes and the user") })
	select {
	case <-l.boot.over:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for LibreChat's indexes: %w", ctx.Err())
	}
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
func (l *LibreChat) configFile() (string, error) {
	path := filepath.Join(l.cfg.Stores.Dir, "librechat.yaml")
	if err := os.WriteFile(path, l.yaml, 0o600); err != nil {
		return "", fmt.Errorf("keep librechat.yaml: %w", err)
	}
	return path, nil
}

// awaitHealth asks every so often and returns when the answer is 200, or ctx ends.
func awaitHealth(ctx context.Context, url string, every time.Duration) {
	for ctx.Err() == nil {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		sleep(ctx, every)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
