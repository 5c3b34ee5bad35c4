package supervise

import (
	"context"
	"testing"
	"time"
)

func TestPauseGrowsWithAge(t *testing.T) {
	for _, test := range []struct{ age, want time.Duration }{
		{0, leastPause}, {200 * time.Millisecond, 5 * time.Millisecond}, {time.Second, 25 * time.Millisecond}, {time.Minute, mostPause},
	} {
		if got := portPause(test.age); got != test.want {
			t.Errorf("at the age of %v it is %v, want %v", test.age, got, test.want)
		}
	}
}

// TestLineEndsThePause: an app that says something is looked at, whatever is left of the pause.
func TestLineEndsThePause(t *testing.T) {
	news := make(chan struct{}, 1)
	w := &lineWriter{to: &buffer{}, tail: &tail{}, watch: newWatch(nil), news: news}
	for range 3 { // more lines than the pause takes
		_, _ = w.Write([]byte("listening\n"))
	}
	begun := time.Now()
	if !sleepOrNews(t.Context(), time.Minute, news) || time.Since(begun) > 30*time.Second {
		t.Errorf("waited %v", time.Since(begun))
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if sleepOrNews(ended, time.Minute, news) {
		t.Error("the end of the context was taken for news")
	}
}
