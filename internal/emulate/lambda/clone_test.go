package lambda_test

import (
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox/sandboxtest"
	"github.com/aproorg/sluice/internal/testkit"
	"github.com/aproorg/sluice/internal/timeline"
)

// cloned publishes a function whose environments are clones of a real snapshot.
func cloned(t *testing.T, change func(*lambda.Config)) (*world, lambda.Snapshot) {
	t.Helper()
	sandboxtest.NeedClones(t)
	w := start(t, func(cfg *lambda.Config) {
		cfg.SnapStart = &lambda.SnapStart{}
		cfg.Process.Client = "Go-http-client"
		if change != nil {
			change(cfg)
		}
	})
	s, err := w.em.Publish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !s.Clones || s.Bytes < 1<<20 {
		t.Fatalf("%+v", s)
	}
	return w, s
}

// TestClones: environments have one memory, one /tmp as it was, and each its own from then on.
func TestClones(t *testing.T) {
	w, _ := cloned(t, nil)
	w.eventually("the first has ended", func() bool { return len(w.em.Environments()) == 0 })
	answers := make([]string, 3)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i], _ = w.invoke(event{Do: "made", After: 500}) })
	}
	all.Wait()
	if len(answers[0]) < 20 || answers[1] != answers[0] || answers[2] != answers[0] {
		t.Errorf("what the function made at its start: %q", answers)
	}
	if n := len(w.em.Environments()); n != 3 {
		t.Fatalf("%d environments", n)
	}
	w.frozen()
	if got := w.states("env-2"); !slices.Equal(got[:2], []timeline.State{timeline.Restore, timeline.Busy}) {
		t.Errorf("states %v", got)
	}
	if got, failure := w.invoke(event{Do: "write", Path: "/tmp/mine"}); got != `"<nil>"` {
		t.Error(got, failure)
	}
	written := 0
	for range w.em.Environments() {
		all.Go(func() {
			if got, _ := w.invoke(event{Do: "read", Path: "/tmp/mine", After: 500}); got == `"1 false"` {
				written++
			}
		})
		all.Wait()
	}
	if written == 0 {
		t.Error("the file is gone")
	}
}

// TestCloneReaches: a server that the variables name is reached at the same address, is known
// to be asked by which environment, and a connection from before the snapshot is dead.
func TestCloneReaches(t *testing.T) {
	clients := make(chan net.Addr, 10)
	store := testkit.Accept(t, func(conn net.Conn) {
		clients <- conn.RemoteAddr()
		_, _ = io.Copy(io.Discard, conn)
	})
	w, _ := cloned(t, func(cfg *lambda.Config) { setenv(cfg, "TEST_CONNECT="+store.String()) })
	<-clients
	if got, _ := w.invoke(event{Do: "early"}); !strings.Contains(got, "reset") {
		t.Errorf("the connection from before the snapshot: %s", got)
	}
	for range 30 { // a server may ask at once, while who dialed still runs
		done := make(chan string)
		go func() {
			got, _ := w.invoke(event{Do: "connect", Text: store.String(), Millis: 20})
			done <- got
		}()
		select {
		case client := <-clients:
			if owner, err := w.em.Owner(client.(*net.TCPAddr).AddrPort()); !strings.HasPrefix(owner, "env-") {
				t.Errorf("the connection of %s belongs to %q, %v", client, owner, err)
			}
		case <-time.After(20 * time.Second):
			t.Error("no connection")
		}
		if got := <-done; got != "null" {
			t.Error(got)
		}
	}
	if owner, _ := w.em.Owner(netip.MustParseAddrPort("127.0.0.1:1")); owner != "" {
		t.Errorf("a connection of nobody belongs to %s", owner)
	}
}

// TestCloneOfAFileWithoutName: databases and compressors keep large files that are open and have no name any more.
func TestCloneOfAFileWithoutName(t *testing.T) {
	_, snapshot := cloned(t, func(cfg *lambda.Config) { setenv(cfg, "TEST_GHOST=120000000") })
	if snapshot.Bytes < 120_000_000 {
		t.Errorf("the snapshot has %d bytes", snapshot.Bytes)
	}
}

// TestCloneListensWhereItsVariablesSay: an address in a variable may be one that the function itself listens on, and a clone has it even where
// another program of the machine has taken it since.
func TestCloneListensWhereItsVariablesSay(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	w, _ := cloned(t, func(cfg *lambda.Config) { setenv(cfg, "TEST_LISTEN="+address, "METRICS=http://"+address+"/metrics") })
	if listener, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if got, failure := w.invoke(event{Do: "connect", Text: address}); got != "null" {
		t.Error(got, failure)
	}
}

// TestCloneReachesIPv6: a server that listens on ::1 alone is reached, and knows who asks as well.
func TestCloneReachesIPv6(t *testing.T) {
	listener, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 on this machine: %v", err)
	}
	defer listener.Close()
	address := listener.Addr().String()
	w, _ := cloned(t, func(cfg *lambda.Config) { setenv(cfg, "STORE=http://"+address) })
	done := make(chan string)
	go func() {
		got, _ := w.invoke(event{Do: "connect", Text: address, Millis: 1000})
		done <- got
	}()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	if owner, err := w.em.Owner(client); !strings.HasPrefix(owner, "env-") {
		t.Errorf("the connection of %s belongs to %q, %v", client, owner, err)
	}
	if got := <-done; got != "null" {
		t.Error(got)
	}
}

// TestCloneReachesWhatComesLater: a server that the variables name is reached when it is there, by the name of localhost too.
func TestCloneReachesWhatComesLater(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	_, port, _ := net.SplitHostPort(address)
	w, _ := cloned(t, func(cfg *lambda.Config) { setenv(cfg, "STORE_HOST=localhost", "STORE_PORT="+port) })
	if got, _ := w.invoke(event{Do: "connect", Text: address}); !strings.Contains(got, "refused") {
		t.Errorf("nobody is there: %s", got)
	}
	if listener, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	w.eventually("the server is reached", func() bool {
		got, _ := w.invoke(event{Do: "connect", Text: "localhost:" + port})
		return got == "null"
	})
}

// TestCloneEnds: a clone is killed as a started environment is, and the next request gets another.
func TestCloneEnds(t *testing.T) {
	w, _ := cloned(t, nil)
	if got, failure := w.invoke(event{Do: "exit", N: 3}); !strings.Contains(failure+got, "exit status 3") {
		t.Errorf("exit: %s %s", got, failure)
	}
	w.eventually("it has ended", func() bool { return len(w.em.Environments()) == 0 })
	got, failure := w.invoke(event{Do: "env"})
	if !strings.Contains(got, "snap-start") {
		t.Error(got, failure)
	}
	for _, e := range w.em.Environments() {
		w.em.Kill(e.ID)
	}
	w.eventually("none is left", func() bool { return len(w.em.Environments()) == 0 })
	if got, failure := w.invoke(event{Text: "again"}); !strings.Contains(got, "again") {
		t.Error(got, failure)
	}
	if open, _ := os.ReadDir("/proc/self/fd"); len(open) > 200 {
		t.Errorf("%d open files", len(open))
	}
}
