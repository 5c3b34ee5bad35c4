package runtimeapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
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
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/2020-01-01/extension/event/next", nil)
		if err != nil {
			return
		}
		req.Header.Set("Lambda-Extension-Identifier", id)
		if resp, err := c.http.Do(req); err == nil {
			resp.Body.Close()
		}
	}, nil
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
