package supervise

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// portWatch is the pause between two looks at the app's port while nothing listens there.
const portWatch = 10 * time.Millisecond

// probe returns nil once the app is ready, or why it is not after all attempts.
func (a *App) probe(ctx context.Context, logged <-chan struct{}, steps *steps) error {
	client := probeClient(max(a.cfg.Interval, time.Second))
	defer client.CloseIdleConnections()
	var last error
	for range a.cfg.Attempts {
		next := time.Now().Add(a.cfg.Interval)
		if last = a.attempt(ctx, client, logged, next, steps); last == nil {
			steps.done("ready")
			return nil
		}
		if !sleep(ctx, time.Until(next)) {
			return ctx.Err()
		}
	}
	return fmt.Errorf("not ready after %d probes of %s every %v: %w", a.cfg.Attempts, a.cfg.ReadyPath, a.cfg.Interval, last)
}

// attempt is one probe, which ends at next.
func (a *App) attempt(ctx context.Context, client *http.Client, logged <-chan struct{}, next time.Time, steps *steps) error {
	if !a.awaitPort(ctx, next) {
		return fmt.Errorf("nothing listens at %s", a.cfg.Address)
	}
	steps.done("listen")
	if err := a.ask(ctx, client); err != nil {
		return err
	}
	return waitLine(ctx, logged, next)
}

// probeClient follows no redirect, for a redirect is a sign of life, and keeps no connection.
func probeClient(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// awaitPort looks at the port until it opens or the time is over: an app is then seen at once and not an interval later.
func (a *App) awaitPort(ctx context.Context, until time.Time) bool {
	for {
		conn, err := (&net.Dialer{Deadline: until}).DialContext(ctx, "tcp", a.cfg.Address)
		if err == nil {
			conn.Close()
			return true
		}
		if time.Until(until) < portWatch || !sleep(ctx, portWatch) {
			return false
		}
	}
}

func (a *App) ask(ctx context.Context, client *http.Client) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.cfg.Address+a.cfg.ReadyPath, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "sluice-bootstrap (ready probe)")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 399 {
		return fmt.Errorf("GET %s answered %s", a.cfg.ReadyPath, resp.Status)
	}
	return nil
}

func waitLine(ctx context.Context, logged <-chan struct{}, until time.Time) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-logged:
		return nil
	default:
	}
	select {
	case <-logged:
		return nil
	case <-timer.C:
		return fmt.Errorf("the app answers, but no line of its output has matched the ready pattern")
	case <-ctx.Done():
		return ctx.Err()
	}
}
