package snapshot

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/testdeps"
	"github.com/aproorg/sluice/internal/testkit"
)

// startNode runs a script that has loaded ours, and returns when it is known here.
func startNode(t *testing.T, p *Processes, script string, count int) (said func() string) {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(testdeps.Node(t), "-e", script)
	cmd.Env = p.AddTo(os.Environ())
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); _ = cmd.Wait(); out.Close() }) // with its children
	said = func() string {
		text, _ := os.ReadFile(out.Name())
		return string(text)
	}
	testkit.Wait(t, 30*time.Second, "the script in each process", func() (string, bool) { return said(), p.Count() == count && strings.Contains(said(), "begun") })
	return said
}

func listen(t *testing.T) *Processes {
	t.Helper()
	p, err := Listen(slog.New(slog.NewTextHandler(t.Output(), nil)), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// TestTimeBetween: where the monotonic clock stood still, performance.now goes on by the time of the snapshot, and a timer is due at the time
// that was meant: the one of an hour at once after three, the one of four an hour later. A timer keeps its length.
func TestTimeBetween(t *testing.T) {
	p := listen(t)
	said := startNode(t, p, `
		const hour = 3600_000, begun = performance.now();
		const after = (name) => console.log(name, Math.round((performance.now() - begun) / hour));
		const one = setTimeout(after, hour, "one");
		const four = setTimeout(after, 4 * hour, "four");
		const every = setInterval(() => { after("every"); every.ticks = (every.ticks || 0) + 1; }, 2 * hour);
		const cleared = setTimeout(after, hour, "cleared");
		clearTimeout(cleared);
		const pauses = require("timers/promises"), stopped = new AbortController();
		pauses.setTimeout(hour, "pause").then(after);
		require("util").promisify(setTimeout)(hour, "promisified").then(after);
		pauses.setTimeout(4 * hour, "long").then(after);
		pauses.setTimeout(hour, "x", { signal: stopped.signal, ref: false }).catch((e) => console.log("aborted", e.name, e.code));
		stopped.abort();
		process.on("sluice:after-restore", () => setTimeout(() => console.log(JSON.stringify({
			four: four._idleTimeout / hour, every: every._idleTimeout / hour, ticks: every.ticks })), 50));
		console.log("begun");`, 1)
	if err := p.Before(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := Restored{Environment: "E", Age: 3 * 3600}
	if err := p.Renew(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if _, err := p.After(t.Context(), r, nil); err != nil {
		t.Fatal(err)
	}
	testkit.Wait(t, 10*time.Second, "the app's view of it", func() (string, bool) { return said(), strings.Contains(said(), "{") })
	for _, want := range []string{"one 3", "every 3", `"four":4`, `"every":2`, `"ticks":1`, "pause 3", "promisified 3", "aborted AbortError ABORT_ERR"} {
		if !strings.Contains(said(), want) {
			t.Errorf("%q is not in\n%s", want, said())
		}
	}
	for _, never := range []string{"four 3", "cleared", "long"} {
		if strings.Contains(said(), never) {
			t.Errorf("%q is in\n%s", never, said())
		}
	}
}

// TestStocksOfRandomBytes: a pool that was filled is filled anew where it stands, and a key is left alone.
func TestStocksOfRandomBytes(t *testing.T) {
	p := listen(t)
	said := startNode(t, p, `
		const crypto = require("crypto");
		const pools = [crypto.randomFillSync(Buffer.allocUnsafe(2688)), crypto.webcrypto.getRandomValues(new Uint8Array(256)), crypto.randomFillSync(new Uint32Array(64))];
		const keys = [crypto.randomBytes(256), crypto.randomFillSync(new Uint8Array(64))];
		setInterval(() => {}, 1e6);
		const text = (all) => all.map((a) => Buffer.from(a.buffer, a.byteOffset, a.byteLength).toString("hex"));
		const before = { pools: text(pools), keys: text(keys) };
		process.on("sluice:after-restore", () => {
			const same = (kind, all) => text(all).filter((t, i) => t === before[kind][i]).length;
			console.log(JSON.stringify({ pools: same("pools", pools), keys: same("keys", keys) }));
		});
		console.log("begun");`, 1)
	if err := p.Renew(t.Context(), Restored{}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.After(t.Context(), Restored{}, nil); err != nil {
		t.Fatal(err)
	}
	testkit.Wait(t, 10*time.Second, "what is the same", func() (string, bool) { return said(), strings.Contains(said(), "{") })
	if !strings.Contains(said(), `{"pools":0,"keys":2}`) {
		t.Error(said())
	}
}

// TestProcesses: every process and worker thread is asked, a worker that is blocked is not waited for, and a process that is blocked fails.
func TestProcesses(t *testing.T) {
	p := listen(t)
	said := startNode(t, p, `
		const { Worker, isMainThread } = require("worker_threads");
		process.on("sluice:before-snapshot", () => console.log("heard in main"));
		new Worker('process.on("sluice:before-snapshot", () => console.log("heard in a worker")); setInterval(() => {}, 1e6)', { eval: true });
		new Worker('Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)', { eval: true });
		require("child_process").spawn(process.execPath, ["-e", 'process.on("sluice:before-snapshot", () => console.log("heard in a child")); setInterval(() => {}, 1e6)'], { stdio: "inherit" });
		process.on("sluice:after-restore", () => { for (;;); });
		console.log("begun");`, 4)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := p.Before(ctx); err != nil {
		t.Fatal(err)
	}
	testkit.Wait(t, 10*time.Second, "all that heard of it", func() (string, bool) { return said(), strings.Count(said(), "heard in") == 3 })
	ctx, cancel = context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := p.After(ctx, Restored{}, nil); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("a process that is blocked: %v", err)
	}
}

// TestAddTo: our script comes first, and what the user gave to Node is kept.
func TestAddTo(t *testing.T) {
	p := listen(t)
	env, err := json.Marshal(p.AddTo([]string{"A=1", "NODE_OPTIONS=--no-warnings"}))
	if err != nil || !strings.Contains(string(env), `/snapshot.cjs --no-warnings"`) || !strings.Contains(string(env), `"A=1"`) {
		t.Errorf("%s, %v", env, err)
	}
}

// TestAddonForEveryProcessor: Lambda has two.
func TestAddonForEveryProcessor(t *testing.T) {
	for _, cpu := range []string{"amd64", "arm64"} {
		if _, err := addon(cpu); err != nil {
			t.Error(err)
		}
	}
	if _, err := addon("riscv64"); err == nil {
		t.Error("no error")
	}
}
