package runtimeapi

import (
	"context"
	"time"
)

// bucket slows a streamed response: it holds burst bytes at first and gains rate
// bytes per second, never more than burst.
type bucket struct {
	burst, rate float64
	tokens      float64
	last        time.Time
}

func newBucket(burst, rate int64) *bucket {
	return &bucket{burst: float64(burst), rate: float64(rate), tokens: float64(burst), last: time.Now()}
}

// take waits until n bytes may pass. It reports false when ctx ends first.
func (b *bucket) take(ctx context.Context, n int) bool {
	now := time.Now()
	b.tokens = min(b.burst, b.tokens+now.Sub(b.last).Seconds()*b.rate)
	b.last = now
	b.tokens -= float64(n)
	if b.tokens >= 0 {
		return true
	}
	timer := time.NewTimer(time.Duration(-b.tokens / b.rate * float64(time.Second)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
