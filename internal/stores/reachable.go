package stores

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"time"
)

// reachable connects to the server of a redis:// or rediss:// URI, so that a wrong
// address is told before an app waits for it.
func reachable(ctx context.Context, uri string) error {
	u, err := url.Parse(uri)
	if err != nil || (u.Scheme != "redis" && u.Scheme != "rediss") || u.Hostname() == "" {
		return fmt.Errorf("the URI of Redis: want redis://HOST:PORT or rediss://HOST:PORT (the one given may hold a password, so it is not shown)")
	}
	port := u.Port()
	if port == "" {
		port = "6379"
	}
	dialer := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return fmt.Errorf("reach Redis: %w (hint: leave --redis out for the embedded one)", err)
	}
	return conn.Close()
}
