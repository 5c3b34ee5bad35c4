package rehearsal_test

import (
	"context"
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/rehearse/stores"
	"github.com/aproorg/sluice/internal/testkit"
)

// TestOutageRealRedis restarts a real Redis, which keeps nothing, in the middle of
// an answer.
func TestOutageRealRedis(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("needs redis-server: make deps")
	}
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		redis := &realRedis{}
		redis.start(t)
		t.Cleanup(redis.stop)
		o := outages{w: startWith(t, r, nil, stores.Config{Redis: "redis://" + redis.address}, remembering), patience: 90 * time.Second, limit: 3 * time.Minute}
		o.restart = func(context.Context) error {
			redis.stop()
			redis.start(t)
			return nil
		}
		o.run(t, "redis")
	})
}

// realRedis is a redis-server of the test's own.
type realRedis struct {
	address string
	cmd     *exec.Cmd
}

// start starts it empty, at its old address if it had one, and waits for it.
func (r *realRedis) start(t *testing.T) {
	if r.address == "" {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		r.address = listener.Addr().String()
		listener.Close()
	}
	_, port, err := net.SplitHostPort(r.address)
	if err != nil {
		t.Fatal(err)
	}
	r.cmd = exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	testkit.Wait(t, 10*time.Second, "redis-server to listen", func() (string, bool) {
		conn, err := net.Dial("tcp", r.address)
		if err != nil {
			return err.Error(), false
		}
		return "", conn.Close() == nil
	})
}

// stop ends it, and with it all that it holds.
func (r *realRedis) stop() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}
