// Package rehearse runs a stack on this machine: the site in an emulated bucket,
// the app behind the real bootstrap in emulated execution environments, the REST
// stage and the distribution in front, each on a loopback address of its own and
// joined by real connections. It owns what that takes (ports, processes, files)
// and leaves nothing of it behind.
//
// It leaves out how the path behaves (the emulators), what an app needs (the
// caller says it in App), and what a person sees of it (the recorder's readers).
package rehearse

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/aproorg/sluice/internal/bootstrapbin"
	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/emulate/sigv4"
	"github.com/aproorg/sluice/internal/loopback"
	"github.com/aproorg/sluice/internal/rehearse/stores"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/tempdir"
	"github.com/aproorg/sluice/internal/timeline"
	"github.com/aproorg/sluice/internal/timeline/page"
)

// Defaults of a Config.
const (
	DefaultListen      = "127.0.0.1:8080"
	DefaultConcurrency = 25
	DefaultRegion      = "eu-west-1"
)

// Config says what is rehearsed. App.Command is required.
type Config struct {
	// Stack is the topology; nil is the embedded one. It is not changed.
	Stack *stack.Stack
	App   App
	// Stores, if not nil, stand beside the app, and are ready. They learn which
	// environment asks them what. Whoever started them closes them after the World.
	Stores *stores.Stores
	// Site is the built front end; nil is a stack without one, whose every path
	// goes to the app unless Routes says otherwise.
	Site fs.FS
	// Include publishes files of the site that are otherwise left out; see
	// site.Options.
	Include []string
	// Routes are the path patterns of the API (CloudFront's: * and ?), instead of
	// those of the stack.
	Routes []string

	// Region is where all of the rehearsal is, in ARNs, names, events and the
	// function's AWS_REGION; DefaultRegion if empty. Stores of the app need the same.
	Region string

	// Addresses are those that Listen has taken, for an app or stores that must know
	// the site's URL before the start. Without them Start takes Listen and
	// TimelineListen itself. The World owns them from then on.
	Addresses      *Addresses
	Listen         string // as in Listen
	TimelineListen string

	Concurrency int           // most environments at a time; 0 is DefaultConcurrency
	MemorySize  int           // MB per environment; 0 is the stack's
	Timeout     time.Duration // of the function; 0 is the stack's
	NoFreeze    bool          // environments run on between requests, as on no Lambda
	// Speed divides the limits of the init phase, so that a test of them takes
	// less time; 0 is 1.
	Speed float64

	// Start is how environments start: StartOnDemand, StartSnapStart, or as the stack says
	// if empty. SnapStart takes the place of provisioned concurrency.
	Start string
	// SnapshotAge is how old the snapshot of SnapStart is to be found, beyond what it is:
	// until the restore, Node's clock is so much behind.
	SnapshotAge time.Duration
	// Progress, if set, hears what the start waits for.
	Progress func(what string)

	// TransferMode is the response transfer mode of the API's integrations, instead of the stack's.
	TransferMode string
	// FunctionAdvice is for who starts a Lambda function as if it were a web server.
	FunctionAdvice string

	// Bootstrap is the executable; if empty, that of this build.
	Bootstrap string
	Recorder  *timeline.Recorder // one of its own if nil
	Log       *slog.Logger       // nil discards
}

// App is the web server, or the Lambda function, that is rehearsed.
type App struct {
	Name    string // for people
	Command []string
	Dir     string // working directory
	// Root is an unpacked image, whose root directory the app sees as its own. Command
	// is then the image's, which starts with the bootstrap in it.
	Root string
	// Env is configured on the function and counts against Lambda's 4 KB.
	Env map[string]string
	// ImageEnv is what the image would set, as NAME=VALUE; at least PATH where the
	// command needs one.
	ImageEnv []string

	// Function, if set, says that Command asks for invocations itself, as on AWS without
	// a bootstrap: none of its settings, and nothing of readiness, applies.
	Function *Function

	// SnapStartLabel is true of an image that says by a label that it may be cloned
	// without a call of restore/next.
	SnapStartLabel bool

	// Port is where the app listens whatever it is told; 0 picks a free one for each
	// environment. Environments share this machine's ports, so that with one of its
	// own there is one environment, and requests wait for it: Lambda would start more.
	Port int
	// ReadyPath and ReadyStatus say when the app is ready, in the bootstrap's terms
	// (settings.ReadyTCP for the port alone, 200-399,404); empty is the stack's, or the
	// bootstrap's default.
	ReadyPath   string
	ReadyStatus string
	// Scratch are directories that the app writes to and that in its image are
	// links into /tmp.
	Scratch []string
	// Writable are directories of Root that all environments share, and that the app may write to.
	Writable []string
	// Uploads, if set, lets large bodies come by way of S3.
	Uploads *Uploads
	// Observe, if set, stands between the viewer and the distribution, and sees each
	// request and its answer. It must not hold back what streams.
	Observe func(distribution http.Handler) http.Handler
	// Await, if set, returns when what the app shares with all its environments is
	// prepared, or ctx ends. No environment starts before; requests wait.
	Await func(ctx context.Context) error
	// State, if set, names the variable that tells the app a directory that all
	// environments share, as a database would be.
	State string
}

// Function is a Lambda function that somebody else wrote.
type Function struct {
	Task       string // its directory, seen at /var/task; empty for an image
	Handler    string // _HANDLER
	Extensions []lambda.Extension
}

// World is a running rehearsal.
type World struct {
	ViewerURL   string // http://127.0.0.1:8080
	TimelineURL string
	Recorder    *timeline.Recorder
	Lambda      *lambda.Emulator
	Stack       *stack.Stack // as it is run
	// Snapshot is what environments come from; nil without SnapStart.
	Snapshot *lambda.Snapshot

	cfg          Config
	role         sigv4.Key // the function's, without Stores
	distribution sigv4.Key // CloudFront's origin access control
	dir          string    // all files of the rehearsal
	servers      servers
	teardowns    []func(context.Context) error
}

// Start brings a rehearsal up. Its environments start with the first requests,
// as on Lambda. ctx bounds the start only. The caller closes the World.
func Start(ctx context.Context, cfg Config) (*World, error) {
	w := &World{cfg: cfg.withDefaults(), role: sigv4.NewTemporaryKey(), distribution: sigv4.NewTemporaryKey()}
	w.Recorder = w.cfg.Recorder
	if err := w.start(ctx); err != nil {
		return nil, errors.Join(err, w.Close(context.WithoutCancel(ctx)))
	}
	return w, nil
}

func (c Config) withDefaults() Config {
	if c.Region == "" {
		c.Region = DefaultRegion
	}
	if c.Concurrency == 0 {
		c.Concurrency = DefaultConcurrency
	}
	if c.Speed == 0 {
		c.Speed = 1
	}
	if c.Recorder == nil {
		c.Recorder = timeline.NewRecorder(0)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (w *World) start(ctx context.Context) (err error) {
	at := w.cfg.Addresses
	if at == nil {
		if at, err = Listen(w.cfg.Listen, w.cfg.TimelineListen); err != nil {
			return err
		}
	}
	w.onClose(func(context.Context) error { return at.Close() })
	w.ViewerURL, w.TimelineURL = at.ViewerURL, at.TimelineURL

	if w.Stack, err = w.cfg.stack(); err != nil {
		return err
	}
	if w.dir, err = tempdir.Make("up"); err != nil {
		return fmt.Errorf("make a directory for the rehearsal: %w", err)
	}
	if w.cfg.App.Port != 0 {
		w.cfg.Concurrency = 1
		w.cfg.Log.Warn("requests are served one after the other, in one environment: the app's port can be taken only once on this machine", "port", w.cfg.App.Port)
	}
	if w.cfg.Bootstrap == "" && w.cfg.App.Root == "" && w.cfg.App.Function == nil {
		if w.cfg.Bootstrap, err = bootstrapbin.Path(ctx); err != nil {
			return err
		}
	}
	distribution, err := w.path(ctx)
	if err != nil {
		return err
	}
	if err := w.configureBuckets(); err != nil {
		return err
	}
	if w.cfg.Stores != nil {
		w.cfg.Stores.Follow(w.Lambda, w.Recorder.Record)
	}
	if err := w.publish(ctx); err != nil {
		return err
	}
	if w.cfg.App.Observe != nil {
		distribution = w.cfg.App.Observe(distribution)
	}
	w.servers.start(at.viewer, w.named(distribution, at.viewer.Addr()), w.cfg.Log)
	w.servers.start(at.timeline, w.page(), w.cfg.Log)
	return nil
}

// named keeps names that are not the site's from an address that only this machine
// has, as CloudFront answers for its distribution's names alone: a page of another
// site must not read the app under a name that resolves to this machine. Whoever
// listens on another address has opened it to a network, and to its names.
func (w *World) named(distribution http.Handler, address net.Addr) http.Handler {
	if tcp, ok := address.(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return distribution
	}
	return loopback.Named(distribution, append([]string{"*.cloudfront.net"}, w.Stack.Distribution.Aliases...))
}

// page is the timeline's.
func (w *World) page() http.Handler {
	return page.New(page.Config{
		Recorder: w.Recorder,
		Info: page.Info{
			Title: w.cfg.App.Name, ViewerURL: w.ViewerURL,
			MemorySize: w.Stack.Function.MemorySize, Concurrency: w.cfg.Concurrency,
		},
		Recycle: found(w.Lambda.Recycle),
		Kill:    found(w.Lambda.Kill),
		Logger:  w.cfg.Log,
	})
}

// found turns an answer whether an environment exists into an error.
func found(act func(environment string) bool) func(string) error {
	return func(environment string) error {
		if !act(environment) {
			return fmt.Errorf("%s has ended", environment)
		}
		return nil
	}
}

// closeLimit is what environments get to end in an orderly way: more than the
// 500 ms of Lambda's shutdown phase, and no more than a person who pressed Ctrl-C
// wants to wait for an answer that nobody reads.
const closeLimit = 1200 * time.Millisecond

// Close ends the rehearsal: viewers are cut off, environments are shut down as
// Lambda does it, those still at work after a second or when ctx is done are
// killed, and files are removed. After it nothing of the rehearsal runs, listens
// or lies on the disk.
func (w *World) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeLimit)
	defer cancel()
	w.servers.cut()
	var failed []error
	for i := len(w.teardowns) - 1; i >= 0; i-- {
		failed = append(failed, w.teardowns[i](ctx))
	}
	w.teardowns = nil
	w.servers.wait()
	if w.dir != "" {
		failed = append(failed, os.RemoveAll(w.dir))
	}
	return errors.Join(failed...)
}

// onClose adds a teardown; they run in reverse order.
func (w *World) onClose(f func(context.Context) error) {
	w.teardowns = append(w.teardowns, f)
}

// Dir is where the rehearsal keeps its files while it runs: the environments'
// /tmp, and the app's state.
func (w *World) Dir() string { return w.dir }
