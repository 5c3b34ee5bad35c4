package chatapp

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/aproorg/sluice/internal/librechat"
)

// Alone starts LibreChat by itself, with the rehearsal's stores and none of its
// path, and returns the time until it was ready: what a cold start is compared
// with. The process has ended when it returns.
func (c *Chat) Alone(ctx context.Context) (ready time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	cmd, base, err := c.process(ctx, nil)
	if err != nil {
		return 0, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start LibreChat: %w", err)
	}
	said := make(chan struct{})
	read := make(chan struct{})
	go func() {
		defer close(read)
		follow(output, c.cfg.Release.ReadyLog, said)
	}()
	awaitHealth(ctx, base+librechat.ReadyPath)
	select {
	case <-said:
	case <-ctx.Done():
	}
	ready, err = time.Since(begun), ctx.Err()
	cancel()
	<-read
	_ = cmd.Wait() // it is ended by a signal
	if err != nil {
		return 0, fmt.Errorf("wait for LibreChat: %w", err)
	}
	return ready, nil
}

// follow reads all output, and closes said at a line that matches, or at once
// where no line is waited for.
func follow(output io.Reader, readyLog string, said chan struct{}) {
	pattern, err := regexp.Compile(readyLog)
	if readyLog == "" || err != nil {
		close(said)
		_, _ = io.Copy(io.Discard, output)
		return
	}
	lines := bufio.NewScanner(output)
	open := true
	for lines.Scan() {
		if open && pattern.Match(lines.Bytes()) {
			close(said)
			open = false
		}
	}
}
