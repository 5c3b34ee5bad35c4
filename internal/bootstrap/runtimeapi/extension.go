package runtimeapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// RegisterExtension makes the runtime an internal extension that wants no events: only then does Lambda send SIGTERM
// before it ends the environment. It must come before the first Next.
//
// The returned wait tells Lambda that the extension's init is over, and blocks until ctx ends, for no event ever comes.
// See https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
func (c *Client) RegisterExtension(ctx context.Context, name string) (wait func(), err error) {
	id, err := c.registerExtension(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("register the extension %s: %w", name, err)
	}
	return func() {
		for c.awaitEvent(ctx, id) != nil && ctx.Err() == nil { // after a restore the connection may be dead
			select {
			case <-time.After(eventPause):
			case <-ctx.Done():
			}
		}
	}, nil
}

// eventPause is the time after which the call that waits for an event is made again where it broke.
const eventPause = 250 * time.Millisecond

func (c *Client) awaitEvent(ctx context.Context, id string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/2020-01-01/extension/event/next", nil)
	if err != nil {
		return nil
	}
	req.Header.Set("Lambda-Extension-Identifier", id)
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func (c *Client) registerExtension(ctx context.Context, name string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/2020-01-01/extension/register", strings.NewReader(`{"events":[]}`))
	if err != nil {
		return "", err
	}
	req.Header.Set("Lambda-Extension-Name", name)
	resp, err := c.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", statusError(resp)
	}
	return resp.Header.Get("Lambda-Extension-Identifier"), discard(resp)
}
