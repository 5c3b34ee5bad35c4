package cli_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/aproorg/sluice/internal/bootstrapbin"
	"github.com/aproorg/sluice/internal/cli"
	"github.com/aproorg/sluice/internal/testkit"
)

var update = flag.Bool("update", false, "write the outputs that the scripts compare with")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sluice": sluice})
}

// sluice is what cmd/sluice does.
func sluice() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, cli.Program{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Getenv: os.Getenv, Executable: os.Executable,
	}, os.Args[1:])
	stop()
	os.Exit(code)
}

func TestScripts(t *testing.T) {
	// The bootstrap is compiled once, where the cache of Go is; the scripts have a home of their own.
	bootstrap, err := bootstrapbin.Path(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, params(t, bootstrap))
}

func params(t *testing.T, bootstrap string) testscript.Params {
	return testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("SOURCE", source(t))
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("GOCACHE", goEnv(t, "GOCACHE"))
			env.Setenv("GOMODCACHE", goEnv(t, "GOMODCACHE"))
			env.Setenv("XDG_CACHE_HOME", filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(bootstrap)))))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"take-port":  takePort,
			"wait-url":   waitURL,
			"interrupt":  interrupt,
			"exit-code":  exitCode,
			"no-process": noProcess,
			"make-base":  makeBase,
			"serve-s3":   serveS3,
			"serve-site": serveSite,
			"verify-url": verifyURL,
		},
	}
}

func source(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// goEnv is where Go has its caches, which scripts with a home of their own share.
func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatalf("go env %s: %v", name, err)
	}
	return strings.TrimSpace(string(out))
}

// take-port NAME listens on a port for the rest of the script and sets $NAME to
// its address.
func takePort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: take-port NAME")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { listener.Close() })
	ts.Setenv(args[0], listener.Addr().String())
}

// wait-url FILE WORD waits until a line of the file has WORD followed by a URL,
// fetches that and checks for 200.
func waitURL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: wait-url FILE WORD")
	}
	url := urlIn(ts, args[0], args[1])
	res, err := http.Get(url)
	ts.Check(err)
	_, err = io.Copy(io.Discard, res.Body)
	ts.Check(err)
	ts.Check(res.Body.Close())
	if res.StatusCode != http.StatusOK {
		ts.Fatalf("GET %s: %s", url, res.Status)
	}
}

// urlIn waits for the URL behind a word in a file.
func urlIn(ts *testscript.TestScript, file, word string) string {
	var data []byte
	url := ""
	if !testkit.Until(time.Minute, func() bool {
		data, _ = os.ReadFile(ts.MkAbs(file))
		if _, rest, ok := strings.Cut(string(data), word); ok {
			if start := strings.Index(rest, "http://"); start >= 0 && strings.Contains(rest, "\n") {
				url = strings.FieldsFunc(rest[start:], func(r rune) bool { return r == '"' || r <= ' ' })[0]
			}
		}
		return url != ""
	}) {
		ts.Fatalf("%s has no URL after %q: %s", file, word, data)
	}
	return url
}

// verify-url FILE WORD [FLAGS] verifies the site whose URL stands behind a word in a
// file, quickly. It does not judge the outcome.
func verifyURL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: verify-url FILE WORD [FLAGS]")
	}
	_ = ts.Exec("sluice", append([]string{"verify", urlIn(ts, args[0], args[1]), "--quick"}, args[2:]...)...)
}

// serve-site FILE serves a page of nobody's app for the rest of the script, and
// writes its URL into the file, with those of a site that never answers and one
// that lets nobody in.
func serveSite(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serve-site FILE")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/hangs/"):
			<-r.Context().Done()
			return
		case strings.HasPrefix(r.URL.Path, "/closed/"):
			w.WriteHeader(http.StatusUnauthorized)
			return
		case r.URL.Path != "/":
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>A shop</title>")
	}))
	ts.Defer(server.Close)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), fmt.Appendf(nil, "site %[1]s\nhangs %[1]s/hangs\nclosed %[1]s/closed\n", server.URL), 0o644))
}

// interrupt sends what Ctrl-C sends to the one program in the background.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	background := ts.BackgroundCmds()
	if neg || len(args) != 0 || len(background) != 1 {
		ts.Fatalf("usage: interrupt, with one program in the background")
	}
	ts.Check(background[0].Process.Signal(os.Interrupt))
}

// exit-code N COMMAND ARGS runs a program that must end with that code.
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit-code N COMMAND [ARGS]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		code = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if code != args[0] {
		ts.Fatalf("%s ended with %s, want %s", strings.Join(args[1:], " "), code, args[0])
	}
}

// no-process checks that nothing runs whose environment or command names the
// script's directory.
func noProcess(ts *testscript.TestScript, neg bool, args []string) {
	// script-up must not find what script-upimage runs beside it.
	work := regexp.MustCompile(regexp.QuoteMeta(ts.Getenv("WORK")) + `(/|\x00|$)`)
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		if file == fmt.Sprintf("/proc/%d/environ", os.Getpid()) {
			continue
		}
		environ, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if work.Match(environ) {
			command, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			ts.Fatalf("%s still runs: %q", filepath.Dir(file), command)
		}
	}
}
