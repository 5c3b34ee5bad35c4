package runtimeapi

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// askAgain is the pause before a broken call of AwaitRestore is made again, and maxAsks is how many there may be.
const (
	askAgain = 20 * time.Millisecond
	maxAsks  = 250
)

// AwaitRestore says that the environment is ready for SnapStart's snapshot, and returns when an environment was restored from it.
//
// The snapshot is taken while the call waits. A restored process may find its connection closed, and the Runtime API not there
// yet; then the call is made again, for it changes nothing. An answer other than 200 is an error at once.
//
// See https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks.html
func (c *Client) AwaitRestore(ctx context.Context) error {
	for asks := 1; ; asks++ {
		err := c.wait(ctx, "restore/next", discard)
		if err == nil {
			return nil
		}
		if answered := new(StatusError); asks == maxAsks || errors.As(err, &answered) {
			return fmt.Errorf("wait for a restore: %w", err)
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return fmt.Errorf("wait for a restore: %w", ctx.Err())
		}
	}
}

// FailRestore reports that what has to be done after a restore failed. The runtime then exits.
func (c *Client) FailRestore(ctx context.Context, f Failure) error {
	if err := c.postFailure(ctx, "restore/error", f); err != nil {
		return fmt.Errorf("report the error of the restore: %w", err)
	}
	return nil
}

// Disconnect closes the connections that are not in use: they would be dead in a restored environment.
func (c *Client) Disconnect() {
	c.http.CloseIdleConnections()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.idle {
		w.Close()
	}
	c.idle = nil
}
