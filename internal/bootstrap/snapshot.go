package bootstrap

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/httphead"
	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/bootstrap/snapshot"
	"github.com/aproorg/sluice/internal/hint"
)

// The types of errors around a snapshot, as the protocol for container images names them.
const (
	beforeSnapshotError = "Runtime.BeforeSnapshotError"
	afterRestoreError   = "Runtime.AfterRestoreError"
)

const (
	// warmLimit bounds one request that warms the app, and beforeLimit all that the app does before the snapshot.
	warmLimit   = 15 * time.Second
	beforeLimit = 60 * time.Second
	// restLimit bounds the wait for work that is left before the snapshot.
	restLimit = 35 * time.Second
	// endSeen is how long the end of the app may take to be seen.
	endSeen = 50 * time.Millisecond
	// maxPage bounds what is read of an answer that warms the app.
	maxPage = 16 << 20
)

// snapshot is SnapStart's part of the init phase, once the app is ready: what has to be done before the snapshot, the wait, and what has to
// be done in each environment that is restored from it. It returns nil as well where ctx ends during the wait.
func (e *environment) snapshot(ctx context.Context) error {
	if err := e.beforeSnapshot(ctx); err != nil {
		err = fmt.Errorf("before the snapshot: %w", err)
		return errors.Join(err, e.api.FailInit(ctx, e.failure(beforeSnapshotError, err)))
	}
	e.api.Disconnect()
	taken := time.Now().Round(0) // the monotonic clock may stand still while the snapshot lies
	e.cfg.Logger.Info("ready for the snapshot")
	if err := e.api.AwaitRestore(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	begun := time.Now()
	age := max(0, begun.Round(0).Sub(taken)) + e.cfg.Settings.Snapshot.Age
	if err := e.afterRestore(ctx, age); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		err = fmt.Errorf("after the restore: %w", err)
		return errors.Join(err, e.api.FailRestore(ctx, e.failure(afterRestoreError, err)))
	}
	e.cfg.Logger.Info("restored from a snapshot", "age", age.Round(time.Millisecond).String(), "took", time.Since(begun).Round(time.Millisecond).String())
	return nil
}

func (e *environment) failure(kind string, err error) runtimeapi.Failure {
	return runtimeapi.Failure{Type: kind, Message: hint.Text(err), Trace: e.app.Tail()}
}

// beforeSnapshot warms the app, lets it do what it wants done before the snapshot, and waits until it rests.
func (e *environment) beforeSnapshot(ctx context.Context) error {
	ended := e.app.Ended()
	if err := e.prepareSnapshot(ctx); err != nil {
		return err
	}
	select {
	case <-ended: // another process may be there by now, which has heard of nothing
		return errors.New("the app has ended")
	case <-time.After(endSeen):
		return nil
	}
}

func (e *environment) prepareSnapshot(ctx context.Context) error {
	for _, path := range e.cfg.Settings.Snapshot.WarmPaths {
		e.warm(ctx, path)
	}
	ctx, cancel := context.WithTimeout(ctx, beforeLimit)
	defer cancel()
	if e.processes != nil {
		if err := e.processes.Before(ctx); err != nil {
			return err
		}
	}
	if path := e.cfg.Settings.Snapshot.BeforePath; path != "" {
		if err := e.post(ctx, path, struct{}{}); err != nil {
			return err
		}
	}
	if (e.processes == nil || e.processes.Count() == 0) && e.cfg.Settings.Snapshot.AfterPath == "" && !e.drain.Renews() {
		e.cfg.Logger.Warn("nothing makes the random numbers of this app differ from one restored environment to the other: " +
			"no process of Node or Python has loaded the script for that, and SLUICE_AFTER_RESTORE_PATH names no path at which the app does it itself")
	}
	e.rest(ctx)
	if e.processes != nil {
		return e.processes.Hold(ctx)
	}
	return nil
}

// rest waits until the app has no work left: what is under way in a snapshot ends in every environment that is restored.
func (e *environment) rest(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, restLimit)
	defer cancel()
	if reason, err := e.drain.Wait(ctx); err != nil {
		e.cfg.Logger.Warn("the app still works when the snapshot is taken; what it does then goes on in each environment", "work", reason)
	}
}

// warm asks the app for a page as a browser would. What it answers is no error: the snapshot is as good without.
func (e *environment) warm(ctx context.Context, path string) {
	ctx, cancel := context.WithTimeout(ctx, warmLimit)
	defer cancel()
	begun := time.Now()
	log := e.cfg.Logger.With("path", path)
	req, err := e.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		log.Warn("the app is not warmed", "error", err)
		return
	}
	req.Header.Set("Accept", "*/*")
	req.Header.Set("Accept-Encoding", "gzip, br")
	resp, err := appClient().Do(req)
	if err != nil {
		log.Warn("the app is not warmed", "error", err)
		return
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxPage))
	if err != nil || resp.StatusCode >= http.StatusBadRequest {
		log.Warn("the app is warmed by a request that failed", "status", resp.StatusCode, "error", err)
		return
	}
	log.Info("the app is warmed", "status", resp.StatusCode, "bytes", n, "took", time.Since(begun).Round(time.Millisecond).String())
}

// afterRestore makes this environment one of its own. It is bounded, for Lambda allows 10 s.
func (e *environment) afterRestore(ctx context.Context, age time.Duration) error {
	limit := e.cfg.Settings.Snapshot.RestoreLimit
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("SLUICE_RESTORE_LIMIT, %v, is over", limit))
	defer cancel()
	if err := e.app.Ready(ctx); err != nil {
		return err
	}
	restored := snapshot.Restored{Environment: rand.Text(), Age: age.Seconds()}
	var values map[string]string
	var refreshErr, renewErr error
	var wg sync.WaitGroup
	wg.Go(func() { values, refreshErr = e.refresh(ctx) })
	if e.processes != nil {
		renewErr = e.processes.Renew(ctx, restored)
	}
	renewErr = errors.Join(renewErr, e.drain.Renew(ctx))
	wg.Wait()
	if err := errors.Join(renewErr, refreshErr); err != nil {
		return err
	}
	restored.Changed = slices.Sorted(maps.Keys(values))
	taken := false
	if e.processes != nil {
		var err error
		if taken, err = e.processes.After(ctx, restored, values); err != nil {
			return err
		}
	}
	if len(values) > 0 && !taken {
		e.cfg.Logger.Warn("the app is started anew, for it does not take what has changed since the snapshot; what makes it take such values is in docs/snapstart.md", "variables", restored.Changed)
		return e.app.StartAnew(ctx) // its start goes on in the first invocation
	}
	if path := e.cfg.Settings.Snapshot.AfterPath; path != "" {
		return e.post(ctx, path, restored)
	}
	return nil
}

// refresh fetches anew what is too old, and returns the variables of the app that have changed with it. One that is gone is empty.
func (e *environment) refresh(ctx context.Context) (map[string]string, error) {
	if e.cfg.Refresh == nil {
		return nil, nil
	}
	env, err := e.inherited()
	if err != nil {
		return nil, err
	}
	changed, err := e.cfg.Refresh(ctx, env, max(0, e.cfg.Settings.Snapshot.Refresh-e.cfg.Settings.Snapshot.Age))
	if err != nil {
		return nil, fmt.Errorf("fetch anew what is older than SLUICE_RESTORE_REFRESH: %w", err)
	}
	if len(changed) == 0 {
		return nil, nil
	}
	if env, err = e.appEnvironment(ctx); err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, name := range changed {
		if name != originSecret { // which the app does not see
			values[name], _ = settings.Lookup(env)(name)
		}
	}
	return values, nil
}

// post tells the app something at a path of its own, and wants 2xx.
func (e *environment) post(ctx context.Context, path string, message any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	req, err := e.request(ctx, http.MethodPost, path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := appClient().Do(req)
	if err != nil {
		return fmt.Errorf("post to the app: %w", cmp.Or(context.Cause(ctx), err))
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("the app answered POST %s with %s: %s", path, resp.Status, bytes.TrimSpace(said))
	}
	return err
}

// request is one of the bootstrap's own to the app, which sees the public host and https as in any other.
func (e *environment) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+e.app.Address()+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "sluice-bootstrap (snapshot)")
	if host := e.cfg.Settings.PublicHost; host != "" {
		req.Host = host
		req.Header.Set("X-Forwarded-Host", host)
		req.Header.Set("X-Forwarded-Proto", "https")
	}
	return req, nil
}

// appClient keeps no connection, which would be dead after a restore, and follows no redirect.
func appClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: httphead.Max},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
