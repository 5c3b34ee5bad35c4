// Package drain finds out when the app has done the work that it does after a response, so that the environment may be frozen.
//
// Lambda freezes an environment as soon as its runtime asks for the next invocation. An app that saves, or even generates,
// after it has answered would lose that work or do it hours later. Wait returns when none is left.
//
// Node and Python apps are asked through small scripts. Node's is loaded into each of their processes and threads by NODE_OPTIONS. To
// it, work is what began since the last rest:
//
//   - an outgoing HTTP request (fetch, undici, http, https) until the end of its answer's body, except a GET whose answer
//     is an event stream, which stands;
//   - a connection that is being made, or was written to and has not answered: database calls. For 5 s at most, if there is
//     nothing else, or 30 s where it has answered before in this time; a connection that waits longer is a standing one from
//     then on. One that is made and not written to counts for 250 ms, in which a server that speaks first does;
//   - a file system or DNS request, for 30 s at most;
//   - a timer of at most Config.TimerLimit set by a request's own code, known by AsyncLocalStorage: the pause before a retry. For 10 s
//     if there is nothing else: what sleeps on is a loop. Intervals and the timers of background code do not count;
//   - what the app's start has begun and what goes on when it is ready: an outgoing request, a connection that is being made, a child
//     process that has not answered, a timer of at most 5 s that is not the fourth of one place in the code. For Config.StartLimit
//     in all, of the time that invocations are held;
//   - a child process whose input was written to and whose output has not answered, such as a server of MCP: for 30 s;
//   - anything at all, until the event loop has turned three times without one of these, and used sockets were quiet for 2 ms, and for
//     50 ms, or twice the slowest answer up to 500 ms, after one was written to again before it had answered: its next bytes may answer the
//     first question alone. Of Redis the answers are counted instead.
//
// It does not see work in the thread pool that is no file or DNS request (password hashing, zlib), child processes otherwise, and
// streams of HTTP/2 before Node 24 once their first bytes came.
//
// Python's is a sitecustomize on PYTHONPATH, which loads the one that would have been loaded without it, and goes along into forked
// processes. To it, work is what asyncio tasks and threads do that began since the last rest, or that waited for a queue at it, as the
// threads of pools do:
//
//   - they run, or have an outgoing HTTP request open (http.client, urllib3, httpx, aiohttp, botocore), by the frames on their stack;
//   - they sleep, for 10 s in all, or are blocked at one place for 10 s. What takes longer is standing from then on, and is named in
//     the log. A sleep of more than 10 s is at once;
//   - the main thread is where it was not at the last rest, and in no server's loop.
//
// Who waits for a queue, a lock or another task does no work. It does not see callbacks of an event loop without a task, greenlets,
// child processes, and Python without PYTHONPATH (-I, -E, -S).
//
// Any other app can offer a path that answers 2xx when it is idle and 503 while it works.
//
// It leaves out for how long to wait: that is the caller's context.
package drain

import (
	"context"
	_ "embed"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/preload"
)

//go:embed preload.cjs
var preloadNode []byte

//go:embed preload.py
var preloadPython []byte

// Config says which ways are used. With none, Wait returns at once.
type Config struct {
	// Preload makes the scripts and the socket for Node and Python apps, in the directory for temporary files.
	Preload bool
	// TimerLimit is the longest timer of Node that counts as work; 0 counts none.
	TimerLimit time.Duration
	// StartLimit is how long work of Node that the app's start has begun counts once the app is ready; 0 counts none.
	StartLimit time.Duration
	// LongTimer is the length from which a timer of Node's background is logged if it was due in a freeze; 0 logs none.
	LongTimer time.Duration
	// BusyURL, if set, is asked after every response.
	BusyURL string
	Logger  *slog.Logger
}

// Drain knows the app's processes. It is safe for concurrent use.
type Drain struct {
	cfg     Config
	scripts *preload.Scripts // nil where the app's processes load none

	turn chan struct{} // one Wait at a time

	mu      sync.Mutex
	peers   map[*peer]bool
	round   int           // the question that is open, or 0
	verb    string        // of that question
	serial  int           // the last question asked
	heard   bool          // a peer has ever spoken
	changed chan struct{} // has one element when a peer spoke, came or went
}

// New makes the scripts and listens for the app's processes. Where it cannot, it logs that and goes on without: an app that loses
// work after its response is better than none.
func New(cfg Config) *Drain {
	d := &Drain{cfg: cfg, peers: map[*peer]bool{}, changed: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
	if !cfg.Preload {
		return d
	}
	scripts, err := preload.Listen(map[string][]byte{nodeScript: preloadNode, pythonDir + "/sitecustomize.py": preloadPython}, socket, d.attend)
	if err != nil {
		cfg.Logger.Warn("work after a response will not be waited for", "error", err)
		return d
	}
	d.scripts = scripts
	return d
}

// Names of the scripts' files.
const (
	nodeScript = "drain.cjs"
	pythonDir  = "python"
	socket     = "drain.sock"
)

// AddTo returns env with what the scripts need. What the user gave to Node and Python is kept.
func (d *Drain) AddTo(env []string) []string {
	if d.scripts == nil {
		return env
	}
	path := d.scripts.Path(pythonDir)
	out := make([]string, 0, len(env)+6)
	for _, entry := range preload.Require(env, d.scripts.Path(nodeScript)) {
		if users, ok := strings.CutPrefix(entry, "PYTHONPATH="); ok {
			if users != "" { // an empty element would be the working directory
				path += ":" + users
			}
			continue
		}
		out = append(out, entry)
	}
	return append(out, "PYTHONPATH="+path, "SLUICE_DRAIN_SOCKET="+d.scripts.Path(socket),
		"SLUICE_DRAIN_TIMER="+milliseconds(d.cfg.TimerLimit), "SLUICE_DRAIN_START="+milliseconds(d.cfg.StartLimit),
		"SLUICE_DRAIN_LONG="+milliseconds(d.cfg.LongTimer))
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// Wait returns when no work is left. If ctx ends before, it returns ctx's error, and what is left then counts as standing. In both
// cases work names the last thing that was waited for, if anything.
func (d *Drain) Wait(ctx context.Context) (work string, err error) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	for {
		waited, err := d.waitPeers(ctx)
		if waited != "" {
			work = waited
		}
		if err != nil {
			d.Forget(context.WithoutCancel(ctx))
			return work, err
		}
		if d.cfg.BusyURL == "" {
			return work, nil
		}
		waited, err = d.waitBusy(ctx)
		if waited == "" || err != nil {
			return work, err
		}
		work = waited // while the path said busy, a process may have begun something
	}
}

// Blind says whether nothing tells of work that is left: no process of the app has loaded a script, and no path is asked.
func (d *Drain) Blind() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.heard && d.cfg.BusyURL == ""
}

// Close ends the conversations and removes the scripts.
func (d *Drain) Close() {
	if d.scripts != nil {
		d.scripts.Close()
	}
}
