// Package redis serves the Redis protocol to a rehearsal in place of
// ElastiCache for Redis with cluster mode off
// (https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/WhatIs.html).
//
// It is miniredis with a clock that ticks. It models the commands that
// miniredis knows, on one node, with publish and subscribe, streams, scripts,
// expiry, a password, connection counts and restarts that lose all data, as a
// single node's do. It refuses, with Redis's own errors, commands that
// miniredis lacks. It does not model TLS, replicas and failovers, eviction,
// and memory limits; it cannot know ElastiCache's speed.
package redis

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// tick is how often keys expire. Redis itself looks at expired keys when they
// are read and ten times a second.
const tick = 100 * time.Millisecond

// Config says what a [Server] serves. Its zero value is a server without a
// password on a free port of 127.0.0.1.
type Config struct {
	Addr     string // empty means "127.0.0.1:0"
	Password string // empty means that clients need none
}

// Server is one Redis node. Its methods are safe for concurrent use.
type Server struct {
	cfg  Config
	stop chan struct{}
	done sync.WaitGroup

	mu     sync.Mutex // guards what follows, and serializes Restart and Close
	addr   string
	redis  *miniredis.Miniredis // nil once closed
	behind time.Duration        // the node's clock, see SetBehind
	peak   int
	before int // connections to earlier lives of the node
}

// Connections counts clients' connections.
type Connections struct {
	Open  int // now
	Peak  int // at once, as seen ten times a second
	Total int // ever
}

// Start serves until Close. It leaves nothing behind if it fails.
func Start(cfg Config) (*Server, error) {
	s := &Server{cfg: cfg, addr: cfg.Addr, stop: make(chan struct{})}
	if s.addr == "" {
		s.addr = "127.0.0.1:0"
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	s.done.Add(1)
	go s.run()
	return s, nil
}

// open starts an empty node. The caller holds mu or is the only one.
func (s *Server) open() error {
	m := miniredis.NewMiniRedis()
	if s.cfg.Password != "" {
		m.RequireAuth(s.cfg.Password)
	}
	if err := m.StartAddr(s.addr); err != nil {
		return fmt.Errorf("listen for Redis clients on %s: %w", s.addr, err)
	}
	s.addr = m.Addr()
	s.redis = m
	return nil
}

// run moves miniredis's clock, which stands still by itself, by the time that
// has passed. A machine that slept moves it by the whole of its sleep.
func (s *Server) run() {
	defer s.done.Done()
	t := time.NewTicker(tick)
	defer t.Stop()
	last := time.Now()
	for {
		select {
		case <-s.stop:
			return
		case <-t.C:
		}
		now := time.Now()
		s.advance(now.Sub(last))
		last = now
	}
}

// SetBehind has the node's clock be behind by d. When it is less behind than before, that
// time passes for all keys.
func (s *Server) SetBehind(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	passed := s.behind - d
	s.behind = d
	if s.redis == nil {
		return
	}
	now := time.Time{} // the machine's
	if d > 0 {
		now = time.Now().Add(-d)
	}
	s.redis.SetTime(now)
	if passed > 0 {
		s.redis.FastForward(passed)
	}
}

func (s *Server) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.redis == nil {
		return
	}
	s.redis.FastForward(d)
	if s.behind > 0 {
		s.redis.SetTime(time.Now().Add(-s.behind))
	}
	s.peak = max(s.peak, s.redis.CurrentConnectionCount())
}

// Addr returns the host and port that the server listens on.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// URI returns the redis:// URI of the server, with its password.
func (s *Server) URI() string {
	u := url.URL{Scheme: "redis", Host: s.Addr()}
	if s.cfg.Password != "" {
		u.User = url.UserPassword("", s.cfg.Password)
	}
	return u.String()
}

// Connections returns the counts of this moment.
func (s *Server) Connections() Connections {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := Connections{Peak: s.peak, Total: s.before}
	if s.redis != nil {
		c.Open = s.redis.CurrentConnectionCount()
		c.Total += s.redis.TotalConnectionCount()
	}
	c.Peak = max(c.Peak, c.Open)
	return c
}

// Restart ends all connections, forgets all data and listens again on the
// same address.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.redis == nil {
		return errors.New("restart Redis: it is closed")
	}
	s.before += s.redis.TotalConnectionCount()
	s.redis.Close()
	for {
		err := s.open()
		if err == nil {
			return nil
		}
		// The kernel can hold on to the port for a moment.
		select {
		case <-ctx.Done():
			s.redis = nil
			return errors.Join(err, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Close ends all connections and the clock. It may be called more than once.
func (s *Server) Close() error {
	s.mu.Lock()
	m := s.redis
	s.redis = nil
	if m != nil {
		s.before += m.TotalConnectionCount()
		close(s.stop)
	}
	s.mu.Unlock()
	if m != nil {
		m.Close()
	}
	s.done.Wait()
	return nil
}
