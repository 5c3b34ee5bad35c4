package bootstrap_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/emulate/ssm"
	"github.com/aproorg/sluice/internal/testdeps"
	"github.com/aproorg/sluice/internal/testkit"
)

// patient lets Node take its time on a machine that is busy.
const patient = "SLUICE_READY_ATTEMPTS=1000"

const idsApp = "snapshot/testdata/ids.cjs"

// TestNodeHearsOfTheSnapshot: listeners of the app are called and waited for, before the snapshot and after the restore.
func TestNodeHearsOfTheSnapshot(t *testing.T) {
	w := start(t, []string{testdeps.Node(t), idsApp}, snapStart, patient)
	w.wantAskedForRestore()
	w.Restore()
	var events []struct {
		Before                bool
		Environment, Variable string
		SnapshotAge           float64
		Changed               []string
	}
	if body := w.do(get("/events")).body; json.Unmarshal([]byte(body), &events) != nil || len(events) != 2 {
		t.Fatalf("events %s", body)
	}
	if e := events[1]; !events[0].Before || len(e.Environment) < 20 || e.Variable != e.Environment || e.SnapshotAge <= 0 || e.Changed == nil {
		t.Errorf("events %+v", events)
	}
	w.wantLogged("nothing makes the random numbers", 0)
}

// TestAppWithoutScript: where nothing can renew random numbers, that is said when the version is published.
func TestAppWithoutScript(t *testing.T) {
	w := start(t, goApp("bin"), snapStart)
	w.wantAskedForRestore()
	w.wantLogged("nothing makes the random numbers", 1)
}

// TestNodeListenersThatFail: an error of a listener is the error of its phase.
func TestNodeListenersThatFail(t *testing.T) {
	for _, event := range []string{"sluice:before-snapshot", "sluice:after-restore"} {
		w := start(t, []string{testdeps.Node(t), "-e", `process.on("` + event + `", async () => { throw new Error("no such pool"); });
			require("http").createServer((q, s) => s.end()).listen(process.env.PORT, "127.0.0.1", () => console.log("listening"));`}, snapStart, patient)
		kind, failures := "Runtime.BeforeSnapshotError", w.InitErrors
		if strings.Contains(event, "after") {
			w.wantAskedForRestore()
			w.Restore()
			kind, failures = "Runtime.AfterRestoreError", w.RestoreErrors
		}
		w.wantEnd(20 * time.Second)
		wantFailure(t, failures(), kind, "no such pool")
	}
}

// TestRotatedSecret: a secret that was rotated since the snapshot reaches an app that takes it, and one that does not is started anew with it.
func TestRotatedSecret(t *testing.T) {
	store, err := ssm.New(ssm.Config{Region: "eu-west-1", Secure: map[string]string{"/app/jwt": "first"}})
	if err != nil {
		t.Fatal(err)
	}
	parameters := httptest.NewServer(store)
	defer parameters.Close()
	const app = `const jwt = { at: process.pid, secret: process.env.JWT_SECRET };
		if (process.env.TAKES) process.on("sluice:after-restore", ({ changed, accept }) => { jwt.secret = process.env.JWT_SECRET; jwt.changed = changed; accept(); });
		require("http").createServer((q, s) => s.end(JSON.stringify(jwt))).listen(process.env.PORT, "127.0.0.1", () => console.log("listening as", process.pid));`
	for _, c := range []struct {
		name, takes, refresh, age, rotated string
		anew                               bool
	}{
		{"taken", "1", "0", "0", "second", false},
		{"not taken", "", "0", "0", "third", true},
		{"not rotated", "", "0", "0", "third", false},
		{"young", "", "1h", "0", "fourth", false},
		{"old, in a rehearsal", "1", "1h", "3h", "fifth", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := value(t, store, "/app/jwt")
			w := start(t, []string{testdeps.Node(t), "-e", app}, snapStart, patient, "TAKES="+c.takes, "SLUICE_RESTORE_REFRESH="+c.refresh, "SLUICE_SNAPSHOT_AGE="+c.age, "SLUICE_SECRETS=JWT_SECRET=/app/jwt",
				"AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=x", "AWS_SESSION_TOKEN=x", "SLUICE_ENDPOINT_URL_SSM="+parameters.URL)
			w.wantAskedForRestore()
			if err := store.Put("/app/jwt", c.rotated); err != nil {
				t.Fatal(err)
			}
			w.Restore()
			var jwt struct {
				At      int
				Secret  string
				Changed []string
			}
			if body := w.do(get("/")).body; json.Unmarshal([]byte(body), &jwt) != nil {
				t.Fatal(body)
			}
			want := c.rotated
			if c.refresh != "0" && c.age == "0" {
				want = before
			}
			if jwt.Secret != want || c.takes != "" && !slices.Equal(jwt.Changed, []string{"JWT_SECRET"}) {
				t.Errorf("the app has %+v, want the secret %q", jwt, want)
			}
			starts := 1
			if c.anew {
				starts = 2
				w.wantLogged("the app is started anew", 1)
			}
			testkit.Wait(t, 10*time.Second, "as many starts as there should be", func() (string, bool) { // a line comes through a pipe, an answer may be there before
				n := strings.Count(w.stdout.String(), "listening as")
				return fmt.Sprintf("%d, want %d", n, starts), n == starts
			})
		})
	}
}

// value reads a parameter as the bootstrap does.
func value(t *testing.T, store http.Handler, name string) string {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"Name":"`+name+`","WithDecryption":true}`))
	req.Header.Set("X-Amz-Target", "AmazonSSM.GetParameter")
	rec := httptest.NewRecorder()
	store.ServeHTTP(rec, req)
	var got struct{ Parameter struct{ Value string } }
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
		t.Fatalf("%s: %v", rec.Body, err)
	}
	return got.Parameter.Value
}

// TestSocketsAreDestroyed: connections that the app made before the snapshot are closed after the restore, before a request can meet one of
// them, and a client of a store connects anew.
func TestSocketsAreDestroyed(t *testing.T) {
	var connections atomic.Int64
	store := testkit.Accept(t, func(conn net.Conn) {
		connections.Add(1)
		_, _ = io.Copy(conn, conn) // an echo
	})
	const app = `const net = require("net"), closed = [];
		let socket;
		const connect = () => { socket = net.connect(process.env.STORE, "127.0.0.1").on("close", (failed) => { closed.push(failed); connect(); }); };
		connect();
		require("http").createServer((q, s) => { socket.once("data", (d) => s.end(JSON.stringify(closed) + d)); socket.write("hello"); })
			.listen(process.env.PORT, "127.0.0.1");`
	w := start(t, []string{testdeps.Node(t), "-e", app}, snapStart, patient, fmt.Sprintf("STORE=%d", store.Port))
	w.wantAskedForRestore()
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections before the snapshot", n)
	}
	w.Restore()
	if got := w.do(get("/")).body; got != "[false]hello" {
		t.Errorf("the app says %s", got)
	}
	if n := connections.Load(); n != 2 {
		t.Errorf("%d connections after the restore", n)
	}
}

// TestSocketsThatConnect: who waits for a connection hears of its end, by TCP and by TLS.
func TestSocketsThatConnect(t *testing.T) {
	store := testkit.Accept(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }) // which begins no TLS
	const app = `const net = require("net"), tls = require("tls");
		const made = (socket, event) => new Promise((resolve) => socket.once(event, resolve).once("error", (e) => resolve(e.code)));
		const both = Promise.all([
			made(net.connect({ port: 1, host: "store.example.com", lookup: () => {} }), "connect"),
			made(tls.connect({ port: process.env.STORE, host: "127.0.0.1" }), "secureConnect"),
		]);
		require("http").createServer((q, s) => q.url === "/" ? both.then((how) => s.end(how.join())) : s.end()).listen(process.env.PORT, "127.0.0.1");`
	w := start(t, []string{testdeps.Node(t), "-e", app}, snapStart, patient, "SLUICE_DRAIN_START=0", fmt.Sprintf("STORE=%d", store.Port))
	w.wantAskedForRestore()
	w.Restore()
	if got := w.do(get("/")).body; got != "ECONNRESET,ECONNRESET" {
		t.Errorf("the app says %s", got)
	}
}

// TestNoGarbageInTheSnapshot: each restore would have to load it.
func TestNoGarbageInTheSnapshot(t *testing.T) {
	const app = `let rubbish = Array.from({ length: 2e6 }, (_, i) => ({ i }));
		const full = process.memoryUsage().heapTotal;
		rubbish = null;
		require("http").createServer((q, s) => s.end(process.memoryUsage().heapTotal < full / 2 ? "less" : "as much")).listen(process.env.PORT, "127.0.0.1");`
	w := start(t, []string{testdeps.Node(t), "-e", app}, snapStart, patient)
	w.wantAskedForRestore()
	w.Restore()
	if got := w.do(get("/")).body; got != "less" {
		t.Errorf("the heap is %s", got)
	}
}

// TestConnectionsWaitForTheRestore: a client whose connection breaks before the script has done its part, as it may at a restore, connects anew
// once, by a connection that nothing destroys.
func TestConnectionsWaitForTheRestore(t *testing.T) {
	var connections atomic.Int64
	first := make(chan *net.TCPConn, 1)
	store := testkit.Accept(t, func(conn net.Conn) {
		if connections.Add(1) == 1 {
			first <- conn.(*net.TCPConn)
		}
		_, _ = io.Copy(conn, conn) // an echo
	})
	const app = `const net = require("net");
		let socket;
		const connect = () => {
			socket = net.connect(process.env.STORE, "127.0.0.1").on("error", connect);
			socket.write("hello");
		};
		connect();
		require("http").createServer((q, s) => { q.url === "/" ? socket.once("data", (d) => s.end(d)) : s.end(); }).listen(process.env.PORT, "127.0.0.1");`
	w := start(t, []string{testdeps.Node(t), "-e", app}, snapStart, patient, fmt.Sprintf("STORE=%d", store.Port))
	w.wantAskedForRestore()
	conn := <-first
	_ = conn.SetLinger(0)
	conn.Close()                       // a reset
	time.Sleep(300 * time.Millisecond) // in which it would connect
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections before the restore", n)
	}
	w.Restore()
	if got := w.do(get("/")).body; got != "hello" {
		t.Errorf("the app says %q", got)
	}
	if n := connections.Load(); n != 2 {
		t.Errorf("%d connections after the restore", n)
	}
}

// TestChildrenWithAnEnvironmentOfTheirOwn: a process of Node that inherits nothing of the app's variables, such as a server of MCP, hears of the
// restore all the same, and keeps the options that it was given.
func TestChildrenWithAnEnvironmentOfTheirOwn(t *testing.T) {
	const app = `const { spawn } = require("child_process");
		const said = [];
		for (const env of [{}, { NODE_OPTIONS: "--no-deprecation" }]) {
			spawn(process.execPath, ["-e", "process.on('sluice:after-restore', (e) => console.log(e.environment, !!process.noDeprecation, process.env.HOME)); setInterval(() => {}, 1e6); console.log('up')"],
				{ env, stdio: ["ignore", "pipe", "inherit"] }).stdout.setEncoding("utf8").on("data", (d) => said.push(d));
		}
		require("http").createServer((q, s) => {
			if (q.url !== "/") return s.writeHead(said.length > 1 ? 200 : 503).end();
			const look = setInterval(() => { if (said.length > 3) { clearInterval(look); s.end(said.join("")); } }, 10);
		}).listen(process.env.PORT, "127.0.0.1");`
	w := start(t, []string{testdeps.Node(t), "-e", app}, snapStart, patient)
	w.wantAskedForRestore()
	w.Restore()
	lines := strings.Fields(w.do(get("/")).body)
	if len(lines) != 8 || lines[2] != lines[5] || len(lines[2]) < 20 || !slices.Contains(lines, "true") || !slices.Contains(lines, "false") || lines[4] != "undefined" || lines[7] != "undefined" {
		t.Errorf("the children say %q", lines)
	}
}
