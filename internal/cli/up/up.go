// Package up is the command that rehearses an app on this machine: which app its flags
// mean and how that is started, or which image, and the rehearsal from start to end.
// Beside it stands the hidden command by which sluice is one of the apps it brings
// along.
//
// It leaves out the rehearsal itself (package rehearse), and how it is shown (package
// view, below).
package up

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	apps "github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/app/presets"
	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/cli/up/view"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/site"
	"github.com/aproorg/sluice/internal/site/frontend"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/timeline"
)

// options are the flags of up.
type options struct {
	app      appOptions
	image    imageSource
	function functionSource
	stack    command.Stack

	site     string
	include  []string
	routes   []string
	listen   string
	timeline string

	start       string
	snapshotAge time.Duration
	concurrency int
	memory      int
	timeout     time.Duration
	noFreeze    bool
	transfer    string
	uploads     string
	speed       float64
}

// NewUp declares up.
func NewUp(p *command.Program) *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Rehearse the whole path on this machine: CloudFront, API Gateway, Lambda, the app",
		Long: `Up runs an app as it will run on AWS: behind an emulated distribution and REST
stage, in execution environments that serve one request at a time, start cold,
freeze between requests and keep Lambda's limits, with the real bootstrap in
front of the app. Everything streams, and a timeline page shows it live.`,
		Example: command.AppExamples("up", directoryPreset()) + `
  sluice up --image oci:out
  sluice up --function ./dist --command "node node_modules/aws-lambda-ric/index.mjs app.handler"
  sluice up --start snapstart
  sluice up --concurrency 40 --memory 1024 --env-file .env --json`,
		Args:        cobra.NoArgs,
		Annotations: command.ExitCodes("0  ended by Ctrl-C or SIGTERM, nothing is left running", "1  it could not start; standard error says why"),
		RunE:        func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), p, cmd.Flags()) },
	}
	f := cmd.Flags()
	o.app.addFlags(f)
	o.image.addFlags(f)
	o.function.addFlags(f)
	f.StringVar(&o.site, "site", "", "`DIR` with the built front end (default: the app's own; none for an app in a directory)")
	f.StringArrayVar(&o.include, "include", nil, "`PATTERN` of the site's files to publish though they are hidden, backups or maps: a name,\nor a path from the site's root with a slash (repeatable)")
	f.StringSliceVar(&o.routes, "routes", nil, "path `PATTERNS` of the API, such as /api/*,/health (default: the app's or the stack's; /* for an app without a site)")
	f.StringVar(&o.listen, "listen", rehearse.DefaultListen, "`HOST:PORT` of the site; port 0 takes a free one")
	f.StringVar(&o.timeline, "timeline", "", "`HOST:PORT` of the timeline page (default: the next free port)")
	o.stack.AddFlags(cmd, f)
	f.StringVar(&o.start, "start", "", "how environments start, `MODE`: on-demand, or snapstart, from a snapshot of a published version (default: the stack's)")
	f.DurationVar(&o.snapshotAge, "snapshot-age", 0, "with SnapStart, how old the snapshot is found by those restored from it, such as `3h`: until then the clock of\nNode is so much behind")
	f.IntVar(&o.concurrency, "concurrency", rehearse.DefaultConcurrency, "most environments at a time; a request beyond gets 429 from Lambda")
	f.IntVar(&o.memory, "memory", 0, "`MB` of memory per environment (default: the stack's)")
	f.DurationVar(&o.timeout, "timeout", 0, "timeout of the function, at most 15m (default: the stack's)")
	f.StringVar(&o.transfer, "transfer-mode", "", "response transfer `MODE` of the API's integrations: stream, or buffered for a function\nthat answers with a JSON document (default: the stack's)")
	f.StringVar(&o.uploads, "uploads", "", "let bodies that are too large for Lambda come by way of S3: `PATH` of the app that answers 2xx\nto a signed-in user, as JSON with the user's id; off (default: the app's own, if it has one)")
	f.BoolVar(&o.noFreeze, "no-freeze", false, "let environments run on between requests, which Lambda never allows")
	f.Float64Var(&o.speed, "speed", 1, "divide the limits of the init phase by this `FACTOR`, for tests of slow starts")
	o.app.addOwnFlags(cmd)
	return cmd
}

// off is the value of a flag that switches something off that is on by itself.
const off = "off"

var transferModes = map[string]string{"stream": stack.TransferStream, "buffered": stack.TransferBuffered}

func (o *options) check(flags *pflag.FlagSet) error {
	switch {
	case o.concurrency < 1:
		return command.Usagef("--concurrency %d: want at least 1", o.concurrency)
	case o.memory != 0 && (o.memory < 128 || o.memory > 10240):
		return command.Usagef("--memory %d: Lambda allows 128 to 10240 MB", o.memory)
	case o.timeout != 0 && (o.timeout < time.Second || o.timeout > 900*time.Second || o.timeout%time.Second != 0):
		return command.Usagef("--timeout %s: Lambda allows 1s to 15m, in whole seconds", o.timeout)
	case o.start != "" && o.start != rehearse.StartOnDemand && o.start != rehearse.StartSnapStart:
		return command.Usagef("--start %q: want on-demand or snapstart", o.start)
	case o.snapshotAge < 0:
		return command.Usagef("--snapshot-age %s: want a time such as 3h", o.snapshotAge)
	case o.transfer != "" && transferModes[o.transfer] == "":
		return command.Usagef("--transfer-mode %q: want stream or buffered", o.transfer)
	case o.function.dir != "" && o.image.ref != "":
		return command.Usagef("--function and --image are two things to run: give one")
	case o.image.compiled != "" && o.image.ref == "":
		return command.Usagef("--compile-cache goes with --image: compiled code is known by the paths that its files have there")
	case o.function.dir == "" && (o.function.handler != "" || len(o.function.extensions) > 0):
		return command.Usagef("--handler and --extension go with --function")
	case flags.Changed("uploads") && o.uploads != off && !strings.HasPrefix(o.uploads, "/"):
		return command.Usagef("--uploads %q: want a path such as /api/user, or off", o.uploads)
	case o.uploads != "" && o.function.dir != "":
		return command.Usagef("--uploads needs the bootstrap: it does not go with --function")
	case o.speed <= 0 || o.speed > 1000:
		return command.Usagef("--speed %v: want a factor above 0, at most 1000", o.speed)
	}
	if err := site.CheckInclude(o.include); err != nil {
		return command.Usagef("--include: %w", err)
	}
	if o.site == "" {
		return nil
	}
	if info, err := os.Stat(o.site); err != nil {
		return fmt.Errorf("open the site: %w", err)
	} else if !info.IsDir() {
		return command.Usagef("--site %s is not a directory", o.site)
	}
	return nil
}

// run checks what was asked before anything is started, takes the addresses, brings
// up what stands beside the app, and then the rehearsal.
func (o *options) run(ctx context.Context, p *command.Program, flags *pflag.FlagSet) (err error) {
	begin := time.Now()
	if err := o.check(flags); err != nil {
		return err
	}
	notes, err := rehearse.CheckMachine(o.concurrency)
	if err != nil {
		return machineAdvice(err)
	}
	for _, note := range notes {
		p.Warn(errors.New(note))
	}
	topology, err := o.topology()
	if err != nil {
		return err
	}
	recorder := timeline.NewRecorder(0)
	app, err := o.rehearsal(ctx, p, flags, topology, recorder)
	if err != nil {
		return err
	}
	if err := o.checkAge(topology); err != nil {
		return err
	}
	var source *frontend.Source
	if o.site != "" { // as it is deployed: nothing is read that a link leads out to
		if source, err = frontend.Open(ctx, frontend.From{Ref: o.site}); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, source.Close()) }()
	}
	addresses, err := rehearse.Listen(o.listen, o.timeline)
	if err != nil {
		return listenAdvice(err)
	}
	shown := view.New(p)
	shown.Starting(o.name())
	prepared, err := app.Start(ctx, addresses.ViewerURL)
	if err != nil {
		shown.Stop()
		return errors.Join(err, addresses.Close())
	}
	if prepared.Close != nil {
		defer func() { err = errors.Join(err, prepared.Close()) }()
	}
	shown.Routine = prepared.Routine
	config := o.config(prepared, topology)
	if o.site != "" {
		config.Site = source
	}
	if config.App.Uploads == nil && config.App.Function == nil {
		shown.TooLarge = "--uploads PATH has larger bodies come by way of S3 (docs/uploads.md)"
	}
	config.Progress = shown.Waiting
	config.Addresses, config.Recorder, config.Log = addresses, recorder, slog.New(shown.Log())
	world, err := rehearse.Start(ctx, config)
	if err != nil {
		shown.Failed(recorder)
		return err
	}
	shown.Ready(world, time.Since(begin))
	shown.Note(prepared.Note)
	shown.User(prepared.User)
	shown.Follow(ctx, world.Recorder)
	shown.Sum(prepared, len(world.Lambda.Environments()), config.Concurrency)
	shown.Ending()
	err = world.Close(context.WithoutCancel(ctx))
	shown.Ended()
	return err
}

// checkAge refuses the age of a snapshot where there is none, or nobody who would find it so old.
func (o *options) checkAge(topology *stack.Stack) error {
	switch {
	case o.snapshotAge == 0:
		return nil
	case o.start == rehearse.StartOnDemand, o.start == "" && topology.Function.SnapStart != stack.SnapStartVersions:
		return command.Usagef("--snapshot-age goes with --start snapstart: else there is no snapshot")
	case o.function.dir != "" || o.image.app.Function != nil:
		return command.Usagef("--snapshot-age needs Sluice's bootstrap, which the function does not have")
	}
	return nil
}

// name is what is started, for people.
func (o *options) name() string {
	if o.image.ref != "" {
		return o.image.ref
	}
	if o.function.dir != "" {
		return o.function.dir
	}
	return o.app.name
}

// topology is the stack to run. The embedded one is that of the shipped
// environment: another app keeps the path, and none of the function's environment.
func (o *options) topology() (*stack.Stack, error) {
	topology, err := o.stack.Load()
	if err != nil {
		return nil, err
	}
	if o.stack.Embedded() && o.image.ref == "" && o.app.name != presets.Shipped().Name {
		topology.Function.Environment, topology.Function.ImageEnvironment = nil, nil
		keepPages(&topology.Distribution.DefaultCacheBehavior)
	}
	return topology, nil
}

// refusedPaths is the line of the site's function that names the shipped app's.
var refusedPaths = regexp.MustCompile(`(?m)^var REFUSED = \[.+\];`)

// keepPages takes the paths that the shipped app's site refuses from the function of a site
// that may have pages there.
func keepPages(site *stack.CacheBehavior) {
	site.Functions = slices.Clone(site.Functions)
	for i, f := range site.Functions {
		site.Functions[i].Code = refusedPaths.ReplaceAllString(f.Code, "var REFUSED = [];")
	}
}

// rehearsal finds the app that was asked for, and has it check what was asked.
func (o *options) rehearsal(ctx context.Context, p *command.Program, flags *pflag.FlagSet, topology *stack.Stack, recorder *timeline.Recorder) (apps.Rehearsal, error) {
	request, err := o.app.request(p)
	if err != nil {
		return nil, err
	}
	request.Function, request.Image, request.Recorder = topology.Function.Environment, topology.Function.ImageEnvironment, recorder
	chosen := o.app.rehearsal()
	preset := ""
	switch {
	case o.image.ref != "":
		chosen = &o.image
		o.image.note = func(text string) { p.Note(errors.New(text)) }
	case o.function.dir != "":
		chosen = &o.function
	default:
		preset = o.app.preset()
	}
	if err := o.app.own.Check(flags, preset); err != nil {
		return nil, err
	}
	return chosen, chosen.Check(ctx, request)
}

// config turns an app and flags into a rehearsal.
func (o *options) config(p apps.Prepared, topology *stack.Stack) rehearse.Config {
	c := rehearse.Config{
		Stack: topology, App: p.App, Stores: p.Stores, Site: p.Site, Include: o.include, Routes: p.Routes,
		TransferMode: transferModes[o.transfer], FunctionAdvice: "--function DIR instead of --app DIR rehearses it as one",
		Start: o.start, SnapshotAge: o.snapshotAge, Concurrency: o.concurrency, MemorySize: o.memory, Timeout: o.timeout, Speed: o.speed,
		NoFreeze: o.noFreeze || o.image.compiled != "", // a frozen Node writes nothing
	}
	if o.stack.Embedded() && p.App.Function != nil {
		topology.Function.Environment, topology.Function.ImageEnvironment = nil, nil
	}
	if len(o.routes) > 0 {
		c.Routes = o.routes
	}
	switch o.uploads {
	case "":
	case off:
		c.App.Uploads = nil
	default:
		c.App.Uploads = &rehearse.Uploads{Authorize: o.uploads}
	}
	return c
}
