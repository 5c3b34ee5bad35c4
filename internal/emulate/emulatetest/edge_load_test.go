package emulatetest

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"testing"

	"github.com/aproorg/sluice/internal/testkit"
)

// TestConcurrentStreamsLeaveNothing sends 200 streams at once through distribution
// and stage, goes away from every fourth, and counts what is left.
func TestConcurrentStreamsLeaveNothing(t *testing.T) {
	var before int
	t.Run("streams", func(t *testing.T) {
		before = runtime.NumGoroutine()
		url := newEdge(t)
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 200}}
		defer client.CloseIdleConnections()
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				if err := stream(client, fmt.Sprintf("%s/api/sse?count=4&duration=200ms&delay=0s&i=%d", url, i), i%4 == 0); err != nil {
					t.Errorf("stream %d: %v", i, err)
				}
			})
		}
		wg.Wait()
	})
	testkit.WaitForGoroutines(t, before)
}

func stream(c *http.Client, url string, leave bool) error {
	res, err := c.Get(url)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if leave {
		_, err := io.ReadFull(res.Body, make([]byte, 10))
		return err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}
