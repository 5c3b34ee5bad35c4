package testkit_test

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aproorg/sluice/internal/testkit"
)

// failing is a test that keeps what it failed with.
type failing struct {
	testing.TB
	message string
}

func (f *failing) Helper() {}
func (f *failing) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestWaitSaysWhatItSawLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, begun, looks := &failing{TB: t}, time.Now(), 0
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			testkit.Wait(f, 3*time.Second, "a third process", func() (string, bool) {
				looks++
				return fmt.Sprintf("two processes at %v", time.Since(begun)), false
			})
		}()
		<-ended
		if want := "waited 3s for a third process; last saw: two processes at 3s"; f.message != want {
			t.Errorf("it says %q, want %q", f.message, want)
		}
		if looks < 60 || looks > 150 {
			t.Errorf("it looked %d times in 3 s", looks)
		}
	})
}

func TestWaitEndsWithWhatItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		testkit.Wait(t, time.Minute, "half a second", func() (string, bool) { return "", time.Since(begun) >= 500*time.Millisecond })
		if took := time.Since(begun); took < 500*time.Millisecond || took > 530*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAcceptLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("served", func(t *testing.T) {
		address := testkit.Accept(t, func(conn net.Conn) { io.WriteString(conn, "hello"); testkit.Hold(conn) })
		for range 3 {
			conn, err := net.Dial("tcp", address.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			got := make([]byte, 5)
			if _, err := io.ReadFull(conn, got); err != nil || string(got) != "hello" {
				t.Errorf("%q, %v", got, err)
			}
		}
	})
	testkit.WaitForGoroutines(t, before)
}
