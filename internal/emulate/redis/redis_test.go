package redis_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	client "github.com/redis/go-redis/v9"

	"github.com/aproorg/sluice/internal/emulate/redis"
	"github.com/aproorg/sluice/internal/testkit"
)

func start(t *testing.T, cfg redis.Config) *redis.Server {
	t.Helper()
	s, err := redis.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func connect(t *testing.T, uri string) *client.Client {
	t.Helper()
	o, err := client.ParseURL(uri)
	if err != nil {
		t.Fatal(err)
	}
	c := client.NewClient(o)
	t.Cleanup(func() { c.Close() })
	return c
}

func TestKeysExpireByThemselves(t *testing.T) {
	c := connect(t, start(t, redis.Config{}).URI())
	ctx := t.Context()
	if err := c.Set(ctx, "k", "v", 300*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	if v, err := c.Get(ctx, "k").Result(); v != "v" || err != nil {
		t.Fatalf("at once: %q, %v", v, err)
	}
	testkit.Wait(t, 5*time.Second, "the key's expiry", func() (string, bool) {
		v, err := c.Get(ctx, "k").Result()
		return fmt.Sprintf("%q, %v", v, err), errors.Is(err, client.Nil)
	})
}

func TestPassword(t *testing.T) {
	s := start(t, redis.Config{Password: "s3cret/@"})
	if err := connect(t, s.URI()).Ping(t.Context()).Err(); err != nil {
		t.Errorf("with the password: %v", err)
	}
	if err := connect(t, "redis://"+s.Addr()).Ping(t.Context()).Err(); err == nil {
		t.Error("without the password: no error")
	}
}

func TestRestartLosesDataAndKeepsTheAddress(t *testing.T) {
	s := start(t, redis.Config{Password: "p"})
	c := connect(t, s.URI())
	ctx := t.Context()
	c.Set(ctx, "k", "v", 0)
	before := s.URI()
	within, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.Restart(within); err != nil {
		t.Fatal(err)
	}
	if s.URI() != before {
		t.Errorf("URI changed from %s to %s", before, s.URI())
	}
	if err := c.Get(ctx, "k").Err(); !errors.Is(err, client.Nil) {
		t.Errorf("after restart: got %v, want no key", err)
	}
}

func TestConnectionsAreCounted(t *testing.T) {
	s := start(t, redis.Config{})
	c := connect(t, s.URI())
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if got := s.Connections(); got.Open != 1 || got.Peak != 1 || got.Total != 1 {
		t.Errorf("got %+v, want one connection", got)
	}
}

func TestAddressInUse(t *testing.T) {
	s := start(t, redis.Config{})
	if other, err := redis.Start(redis.Config{Addr: s.Addr()}); err == nil {
		other.Close()
		t.Error("two servers on one address")
	}
}

// TestClockBehind: the node's clock is behind, and what expires until it is right again is gone then.
func TestClockBehind(t *testing.T) {
	s := start(t, redis.Config{})
	c := connect(t, s.URI())
	ctx := t.Context()
	off := func() time.Duration {
		at, err := c.Time(ctx).Result()
		if err != nil {
			t.Fatal(err)
		}
		return time.Since(at)
	}
	s.SetBehind(3 * time.Hour)
	if d := off() - 3*time.Hour; d.Abs() > time.Minute {
		t.Errorf("the clock is off by %s", off())
	}
	if err := errors.Join(c.Set(ctx, "short", "v", time.Hour).Err(), c.Set(ctx, "long", "v", 6*time.Hour).Err()); err != nil {
		t.Fatal(err)
	}
	s.SetBehind(0)
	if off().Abs() > time.Minute {
		t.Errorf("the clock is off by %s", off())
	}
	if n, err := c.Exists(ctx, "short", "long").Result(); n != 1 || err != nil || c.Get(ctx, "long").Val() != "v" {
		t.Errorf("%d keys are left, %v", n, err)
	}
}
