package drain

import (
	"bytes"
	"cmp"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/testdeps"
	"github.com/aproorg/sluice/internal/testkit"
)

// python is an app of testdata/python under the script.
type python struct {
	*Drain
	t      *testing.T
	base   string
	output *lines
	log    *lines
}

// server is a web server with one of the apps.
type server struct {
	name  string
	needs []string // of the test packages
	args  []string // with PORT for the port
	env   []string
	async bool // its handlers are coroutines
}

var servers = []server{
	{name: "asyncio", args: []string{"app_asyncio.py"}, async: true},
	{name: "FastAPI on uvicorn", needs: []string{"fastapi", "uvicorn"}, args: []string{"-m", "uvicorn", "app_fastapi:app", "--loop", "asyncio", "--port", "PORT"}, async: true},
	{name: "FastAPI on uvicorn with uvloop", needs: []string{"fastapi", "uvicorn", "uvloop"}, args: []string{"-m", "uvicorn", "app_fastapi:app", "--loop", "uvloop", "--port", "PORT"}, async: true},
	{name: "Flask on gunicorn", needs: []string{"flask", "gunicorn"}, args: []string{"-m", "gunicorn", "app_flask:app", "-b", "127.0.0.1:PORT"}},
	{name: "Flask on gunicorn with threads", needs: []string{"flask", "gunicorn"}, args: []string{"-m", "gunicorn", "app_flask:app", "--threads", "4", "-b", "127.0.0.1:PORT"}},
	{name: "Django on gunicorn", needs: []string{"django", "gunicorn"}, args: []string{"-m", "gunicorn", "app_django:wsgi", "-b", "127.0.0.1:PORT"}},
	{name: "Django on uvicorn", needs: []string{"django", "uvicorn"}, args: []string{"-m", "uvicorn", "app_django:asgi", "--port", "PORT"}, env: []string{"ASYNC=1"}, async: true},
}

func startPython(t *testing.T, s server) *python {
	t.Helper()
	program, packages := testdeps.Python(t, s.needs...)
	program = cmp.Or(os.Getenv("SLUICE_TEST_PYTHON"), program)
	web := httptest.NewServer(http.HandlerFunc(upstream))
	t.Cleanup(web.Close)
	t.Cleanup(func() { web.CloseClientConnections() })
	p := &python{t: t, output: &lines{}, log: &lines{}}
	p.Drain = New(Config{Preload: true, Logger: slog.New(slog.NewTextHandler(p.log, nil))})
	t.Cleanup(p.Close)
	address := freeAddress(t)
	p.base = "http://" + address
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command(program)
	for _, arg := range s.args {
		cmd.Args = append(cmd.Args, strings.ReplaceAll(arg, "PORT", port))
	}
	cmd.Dir = "testdata/python"
	cmd.Env = p.AddTo(append(append(os.Environ(), "URL="+web.URL, "PORT="+port, "PYTHONPATH="+packages, "PYTHONDONTWRITEBYTECODE=1"), s.env...))
	cmd.Stdout, cmd.Stderr = p.output, p.output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		defer time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() }).Stop() // a server that waits for its requests
		_ = cmd.Wait()
	})
	testkit.Wait(t, 30*time.Second, "an answer of "+s.name, func() (string, bool) {
		resp, err := http.Get(p.base + "/none")
		if err != nil {
			return p.output.text(), false
		}
		resp.Body.Close()
		return resp.Status + p.output.text(), resp.StatusCode == http.StatusOK
	})
	p.Forget(t.Context())
	return p
}

// get asks the app for a job over a connection of its own, as the bootstrap does, and returns how long Wait held.
func (p *python) get(job string) (held time.Duration, work string) {
	p.t.Helper()
	req, _ := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.base+"/"+job, nil)
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := new(bytes.Buffer).ReadFrom(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %s, %v", job, resp.Status, err)
	}
	begun := time.Now()
	work, err = p.Wait(p.t.Context())
	if err != nil {
		p.t.Errorf("%s: still %s: %v", job, work, err)
	}
	return time.Since(begun), work
}

// TestPythonWork: what is left after a response is waited for, and nothing else is.
func TestPythonWork(t *testing.T) {
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := startPython(t, s)
			jobs := []string{"none", "thread", "none", "compute", "pool", "pool", "queue", "urllib", "none"}
			if s.async {
				jobs = append(jobs, "task", "none", "gather", "executor", "channel", "none", "channel", "event", "none")
			}
			switch strings.Fields(s.name)[0] {
			case "FastAPI":
				jobs = append(jobs, "httpx", "background", "syncbackground", "none")
			case "Flask":
				jobs = append(jobs, "close", "none")
			}
			for _, job := range append(jobs, "waits", "none") {
				before := p.output.count("done " + job)
				held, work := p.get(job)
				t.Logf("%-15s held %v (%s)", job, held.Round(10*time.Microsecond), work)
				switch job {
				case "none", "waits", "event":
					p.wantIdle(job, held)
				default:
					if held < 100*time.Millisecond { // of 300 ms, less what the answer took
						t.Errorf("%s: held %v, want what it takes", job, held)
					}
					p.output.awaitCount(t, "done "+job, before+1)
				}
			}
		})
	}
}

// TestPythonLimit: what sleeps or loops for long is let go, and the log names it; an answer that takes long is waited for.
func TestPythonLimit(t *testing.T) {
	for job, c := range map[string]struct {
		atLeast, atMost time.Duration
		log             string
	}{
		"long":     {0, 5 * time.Second, "thread Thread-2 (nap) at jobs.py"},
		"asleep":   {0, 5 * time.Second, "task nap_async at jobs.py"},
		"poll":     {9 * time.Second, 15 * time.Second, "thread Thread-2 (poll) at jobs.py"},
		"interval": {9 * time.Second, 15 * time.Second, "task poll_async at jobs.py"},
		"silent":   {12 * time.Second, time.Minute, ""},
		"silence":  {12 * time.Second, time.Minute, ""},
	} {
		t.Run(job, func(t *testing.T) {
			t.Parallel()
			p := startPython(t, servers[0])
			held, work := p.get(job)
			t.Logf("held %v (%s), %s", held, work, p.log.text())
			if held < c.atLeast || held > c.atMost || (c.log == "") != (p.log.text() == "") || !strings.Contains(p.log.text(), c.log) {
				t.Errorf("want %v to %v, and %q in the log", c.atLeast, c.atMost, c.log)
			}
			held, _ = p.get("none")
			p.wantIdle("none", held)
		})
	}
}

// TestPythonLiteLLM: its callbacks are done before the environment is frozen.
func TestPythonLiteLLM(t *testing.T) {
	p := startPython(t, server{name: "LiteLLM", needs: []string{"litellm", "fastapi"}, args: []string{"-m", "uvicorn", "app_litellm:app", "--port", "PORT"}})
	for _, job := range []string{"callback", "none", "threaded", "none", "callback", "threaded"} {
		before := p.output.count("done " + job)
		held, work := p.get(job)
		t.Logf("%-10s held %v (%s)", job, held.Round(10*time.Microsecond), work)
		if job == "none" {
			p.wantIdle(job, held)
			continue
		}
		if held < 2500*time.Millisecond {
			t.Errorf("%s: held %v, want its 3 s", job, held)
		}
		p.output.awaitCount(t, "done "+job, before+1)
	}
}

// wantIdle allows a loaded machine some tries: one that holds little shows that nothing was waited for.
func (p *python) wantIdle(job string, held time.Duration) {
	p.t.Helper()
	for range 5 {
		if held < 100*time.Millisecond { // a third of what any job takes
			return
		}
		held, _ = p.get(job)
	}
	p.t.Errorf("%s: held %v though no work was left", job, held)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestPythonLoadsNextSitecustomize: the script takes no other one's place.
func TestPythonLoadsNextSitecustomize(t *testing.T) {
	program, _ := testdeps.Python(t)
	d := New(Config{Preload: true, Logger: slog.New(slog.DiscardHandler)})
	defer d.Close()
	for name, next := range map[string]string{"another": "import sys; print('next', 'python' in sys.path[0])", "none": "", "broken": "import nothing_of_this_name"} {
		dir := t.TempDir()
		if next != "" {
			if err := os.WriteFile(filepath.Join(dir, "sitecustomize.py"), []byte(next), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.CommandContext(t.Context(), program, "-c", "import sys, sitecustomize; print('app', sitecustomize.__file__.startswith(sys.argv[1]))", dir)
		cmd.Env = d.AddTo(append(os.Environ(), "PYTHONPATH="+dir))
		out, err := cmd.CombinedOutput()
		want := map[string]string{"another": "next False\napp True\n", "none": "app False\n", "broken": "No module named 'nothing_of_this_name'"}[name]
		if err != nil && name != "broken" || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v, %s; want %s", name, err, out, want)
		}
		if d.Blind() {
			t.Errorf("%s: the process was not seen", name)
		}
	}
}
