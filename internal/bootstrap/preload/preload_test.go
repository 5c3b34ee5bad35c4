package preload

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequire(t *testing.T) {
	for _, c := range []struct {
		env    []string
		script string
		want   []string
	}{
		{[]string{"A=1"}, "/tmp/a.cjs", []string{"A=1", "NODE_OPTIONS=--require /tmp/a.cjs"}},
		{[]string{"NODE_OPTIONS=--no-deprecation", "A=1"}, "/tmp/a.cjs", []string{"A=1", "NODE_OPTIONS=--require /tmp/a.cjs --no-deprecation"}},
		{[]string{"NODE_OPTIONS="}, `/tmp/a "b\/c.cjs`, []string{`NODE_OPTIONS=--require "/tmp/a \"b\\/c.cjs"`}},
	} {
		if diff := cmp.Diff(c.want, Require(c.env, c.script)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.env, diff)
		}
	}
}

// TestClose: who is served is cut off and waited for, and the files are gone.
func TestClose(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	served := false
	s, err := Listen(map[string][]byte{"deep/a.cjs": []byte("x")}, "a.sock", func(conn net.Conn) {
		_, _ = io.Copy(io.Discard, conn)
		served = true
	})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(s.Path("deep/a.cjs")); err != nil || string(text) != "x" {
		t.Errorf("the script: %q, %v", text, err)
	}
	conn, err := net.Dial("unix", s.Path("a.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	for accepted := false; !accepted; { // what is not accepted yet is cut off by the end of the listener
		s.mu.Lock()
		accepted = len(s.conns) > 0
		s.mu.Unlock()
	}
	s.Close()
	if _, err := conn.Read(make([]byte, 1)); err == nil || !served {
		t.Errorf("a connection after the end: %v; served to its end: %v", err, served)
	}
	if left, _ := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
