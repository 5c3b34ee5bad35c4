package drain

import (
	"context"
	"net/http"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/httphead"
)

const (
	busyTimeout  = 2 * time.Second
	busyPauseMin = 10 * time.Millisecond
	busyPauseMax = 250 * time.Millisecond
)

// waitBusy asks the app's path until it is not busy. work is empty if the first answer was idle.
func (d *Drain) waitBusy(ctx context.Context) (work string, err error) {
	client := &http.Client{Timeout: busyTimeout, Transport: &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: httphead.Max}}
	for pause := busyPauseMin; d.busy(ctx, client); pause = min(2*pause, busyPauseMax) {
		work = "busy path"
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return work, ctx.Err()
		}
	}
	return work, nil
}

// busy says whether the app's path answers 503. Any other failure counts as idle: a wrong path must not hold every invocation to its limit.
func (d *Drain) busy(ctx context.Context, client *http.Client) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.cfg.BusyURL, nil)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		if ctx.Err() == nil {
			d.cfg.Logger.Warn("the busy path does not answer; the app counts as idle", "error", err)
		}
		return false
	}
	resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusServiceUnavailable:
		return true
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		d.cfg.Logger.Warn("the busy path answers neither 2xx nor 503; the app counts as idle", "status", resp.StatusCode)
	}
	return false
}
