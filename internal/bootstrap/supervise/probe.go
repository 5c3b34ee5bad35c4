package supervise

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/httphead"
	"github.com/aproorg/sluice/internal/hint"
)

// The pause between two looks at the app's port, while nothing listens there, grows
// with the app's age: a look costs a quarter of a millisecond of processor time, which
// the app's start wants, and one that comes late costs the rest of the pause. A line of
// output ends the pause, because most apps tell that they listen.
const (
	leastPause = 5 * time.Millisecond
	mostPause  = 50 * time.Millisecond
	pausePart  = 40 // of the app's age
)

func portPause(age time.Duration) time.Duration {
	return min(max(age/pausePart, leastPause), mostPause)
}

// probe returns nil once the app is ready, or why it is not after all attempts.
func (a *App) probe(ctx context.Context, p *process, steps *steps) error {
	client := probeClient(max(a.cfg.Interval, time.Second))
	defer client.CloseIdleConnections()
	a.seen.Store(nil)
	var starved *starvation
	if a.cfg.Fair {
		starved = newStarvation(p.cmd.Process.Pid)
	}
	probes := 0
	for counted := 0.0; counted < float64(a.cfg.Attempts) && probes < a.cfg.Attempts*maxFair; counted += 1 - starved.share() {
		probes++
		next := time.Now().Add(a.cfg.Interval)
		err := a.attempt(ctx, client, p, next, steps)
		if err == nil {
			steps.done("ready")
			return nil
		}
		a.see(err, starved.report())
		if !sleep(ctx, time.Until(next)) {
			return ctx.Err()
		}
	}
	return a.unready(fmt.Errorf("not ready after %d probes every %v", probes, a.cfg.Interval))
}

// maxFair bounds how many times the attempts there may be for an app that waits for a
// processor.
const maxFair = 10

// sighting is what probes have seen of an app that is not ready, and since when they have seen the same.
type sighting struct {
	err     error
	since   time.Time
	starved string // how long the app has waited for a processor, if it has
}

func (a *App) see(err error, starved string) {
	since := time.Now()
	if last := a.seen.Load(); last != nil && last.err.Error() == err.Error() {
		since = last.since
	}
	a.seen.Store(&sighting{err, since, starved})
}

// unready adds to err what the probes have seen last and for how long, if they have seen anything.
func (a *App) unready(err error) error {
	seen := a.Seen()
	if seen == nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, seen)
}

// Seen is why the latest probe did not find the app ready, and for how long that has
// been so. It is nil before the first probe has ended.
func (a *App) Seen() error {
	last := a.seen.Load()
	if last == nil {
		return nil
	}
	err := fmt.Errorf("%w for %v", last.err, time.Since(last.since).Round(100*time.Millisecond))
	if last.starved == "" {
		return err
	}
	return hint.With(fmt.Errorf("%w; %s", err, last.starved), "this machine is busy: run less beside it, or fewer environments at a time")
}

// attempt is one probe, which ends at next.
func (a *App) attempt(ctx context.Context, client *http.Client, p *process, next time.Time, steps *steps) error {
	if !a.awaitPort(ctx, p, next) {
		return fmt.Errorf("nothing listens at %s", a.cfg.Address)
	}
	steps.done("listen")
	if a.cfg.ReadyPath != "" {
		if err := a.ask(ctx, client); err != nil {
			return err
		}
	}
	return waitLine(ctx, p.readyLine, next)
}

// probeClient follows no redirect, for a redirect is a sign of life, and keeps no connection.
func probeClient(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		Transport:     &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: httphead.Max},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// awaitPort looks at the port until it opens or the time is over: an app is then seen at once and not an interval later.
func (a *App) awaitPort(ctx context.Context, p *process, until time.Time) bool {
	for {
		conn, err := (&net.Dialer{Deadline: until}).DialContext(ctx, "tcp", a.cfg.Address)
		if err == nil {
			conn.Close()
			return true
		}
		pause := portPause(time.Since(p.begun))
		if time.Until(until) < pause || !sleep(ctx, leastPause) || !sleepOrNews(ctx, pause-leastPause, p.news) {
			return false
		}
	}
}

// sleepOrNews ends early when there is news. It is false when ctx has ended.
func sleepOrNews(ctx context.Context, d time.Duration, news <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-news:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
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
	if !a.accepts(resp.StatusCode) {
		return hint.With(fmt.Errorf("GET %s answered %s", a.cfg.ReadyPath, resp.Status),
			"if an app that is ready answers so, set SLUICE_READY_STATUS to the statuses to accept, or SLUICE_READY_PATH=tcp to wait for the port alone")
	}
	return nil
}

func (a *App) accepts(status int) bool {
	if a.cfg.ReadyStatus == nil {
		return status >= 200 && status <= 399
	}
	return a.cfg.ReadyStatus(status)
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
		return errors.New("the app answers, but no line of its output has matched the ready pattern")
	case <-ctx.Done():
		return ctx.Err()
	}
}
