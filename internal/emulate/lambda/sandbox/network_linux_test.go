package sandbox_test

import (
	"os"
	"sync"
	"testing"

	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox"
)

// TestNetworksLeaveTheMainThread: what /proc/self says of networks is what the main
// thread is in, whatever threads the networks take.
func TestNetworksLeaveTheMainThread(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("networks need root: sudo go test ./internal/emulate/lambda/sandbox")
	}
	before, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			n, err := sandbox.NewNetwork()
			if err != nil {
				t.Error(err)
				return
			}
			defer n.Close()
			listener, err := n.Listen("127.0.0.1:9001") // free in each of them
			if err != nil {
				t.Error(err)
				return
			}
			listener.Close()
			if now, err := os.Readlink("/proc/self/ns/net"); now != before || err != nil {
				t.Errorf("the main thread is in %s, %v; it was in %s", now, err, before)
			}
		})
	}
	all.Wait()
}
