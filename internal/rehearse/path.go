package rehearse

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/emulate/apigateway"
	"github.com/aproorg/sluice/internal/emulate/cloudfront"
	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/emulate/s3"
	"github.com/aproorg/sluice/internal/emulate/sigv4"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/loopback"
	"github.com/aproorg/sluice/internal/site"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/timeline"
)

// path builds the hops from the far end to the near one and returns the nearest.
func (w *World) path(ctx context.Context) (http.Handler, error) {
	bucket, err := w.startS3(ctx)
	if err != nil {
		return nil, err
	}
	gateway, err := w.startGateway(ctx)
	if err != nil {
		return nil, err
	}
	origins := map[string]string{}
	for _, o := range w.Stack.Distribution.Origins {
		if o.Bucket {
			origins[o.OriginID] = bucket + "/" + bucketName(o)
		} else {
			origins[o.OriginID] = gateway
		}
	}
	d, err := cloudfront.New(cloudfront.Config{
		Distribution: w.Stack.Distribution,
		Origins:      origins,
		AssumeHTTPS:  true, // on loopback there is no certificate to redirect to
		SignBucket:   func(r *http.Request) { sigv4.Sign(r, w.distribution, "s3", w.cfg.Region, nil) },
		Record:       w.Recorder.Record,
		Log:          w.cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	w.onClose(func(context.Context) error { d.Close(); return nil })
	return d, nil
}

// serve gives a hop an address of its own and returns its URL.
func (w *World) serve(handler http.Handler) (string, error) {
	listener, err := onLoopback()
	if err != nil {
		return "", err
	}
	w.servers.start(listener, handler, w.cfg.Log)
	return address(listener), nil
}

// bucketName is that of the plan, or one for a name that Terraform has yet to choose.
func bucketName(o stack.Origin) string { return "sluice-rehearsal-" + o.OriginID }

// startS3 puts the site into its bucket in the way that a deployment does.
func (w *World) startS3(ctx context.Context) (string, error) {
	dir := filepath.Join(w.dir, "s3")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", fmt.Errorf("make a directory for the buckets: %w", err)
	}
	store, err := s3.New(s3.Config{Dir: dir, Region: w.cfg.Region, Record: w.Recorder.Record, Log: w.cfg.Log})
	if err != nil {
		return "", err
	}
	w.onClose(func(context.Context) error { return store.Close() })
	files, err := w.site()
	if err != nil {
		return "", err
	}
	for _, o := range w.Stack.Distribution.Origins {
		if !o.Bucket {
			continue
		}
		store.Bucket(bucketName(o))
		if files == nil {
			continue
		}
		if _, err := site.Apply(ctx, site.Options{Source: files, Include: w.cfg.Include, Store: emptyBucket{store, bucketName(o)}}); err != nil {
			return "", fmt.Errorf("put the site into its bucket: %w", err)
		}
	}
	return w.serve(store.Origin(w.distribution))
}

// emptyBucket is a bucket as the first upload of a site finds it.
type emptyBucket struct {
	store *s3.Store
	name  string
}

func (emptyBucket) Check(context.Context) error                 { return nil }
func (emptyBucket) List(context.Context) ([]site.Object, error) { return nil, nil }
func (emptyBucket) Delete(context.Context, []string) error      { return nil }
func (emptyBucket) Get(_ context.Context, key string) ([]byte, string, error) {
	return nil, "", fmt.Errorf("object %s: %w", key, fs.ErrNotExist)
}
func (emptyBucket) Copy(_ context.Context, from, _ string, _ site.Headers) (string, error) {
	return "", fmt.Errorf("copy %s: %w", from, fs.ErrNotExist)
}
func (b emptyBucket) Put(_ context.Context, put site.Put) (string, error) {
	header := s3.Metadata{}
	header.Set("Content-Type", put.Headers.ContentType)
	header.Set("Cache-Control", put.Headers.CacheControl)
	return "", b.store.Put(b.name, put.Key, put.Body, header)
}

// startGateway starts Lambda and the REST stage in front of it.
func (w *World) startGateway(ctx context.Context) (string, error) {
	if err := w.startLambda(ctx); err != nil {
		return "", err
	}
	gatewayKey := sigv4.NewTemporaryKey()
	endpoint, err := w.serve(loopback.Program(sigv4.Guard(w.prepared(w.Lambda), "lambda", append(w.keys(), gatewayKey), maxInvoke)))
	if err != nil {
		return "", err
	}
	listener, err := onLoopback()
	if err != nil {
		return "", err
	}
	hosts := []string{listener.Addr().String()}
	for _, o := range w.Stack.Distribution.Origins {
		if !o.Bucket && o.DomainName != "" {
			hosts = append(hosts, o.DomainName)
		}
	}
	gateway, err := apigateway.New(apigateway.Config{
		API:            w.Stack.RestAPI,
		LambdaEndpoint: endpoint,
		Functions:      map[string]string{w.Stack.Function.Address: w.Lambda.ARN()},
		Region:         w.cfg.Region,
		Hosts:          hosts,
		Sign:           func(r *http.Request, payload []byte) { sigv4.Sign(r, gatewayKey, "lambda", w.cfg.Region, payload) },
		Record:         w.Recorder.Record,
		Log:            w.cfg.Log,
	})
	if err != nil {
		return "", joinClose(err, listener)
	}
	w.onClose(func(context.Context) error { gateway.Close(); return nil })
	w.servers.start(listener, w.followUploads(gateway), w.cfg.Log)
	return address(listener), nil
}

// startLambda prepares the function: the bootstrap in front of the app.
func (w *World) startLambda(ctx context.Context) error {
	app := w.cfg.App
	if app.Await != nil && w.Stack.Function.ProvisionedConcurrency > 0 {
		if err := app.Await(ctx); err != nil {
			return err
		}
	}
	environments := filepath.Join(w.dir, "environments")
	if err := os.Mkdir(environments, 0o755); err != nil {
		return fmt.Errorf("make a directory for the environments: %w", err)
	}
	process, extensions := w.process()
	function := w.Stack.Function
	function.Environment = w.environment()
	uploads, err := w.startUploads()
	if err != nil {
		return err
	}
	maps.Copy(function.Environment, uploads)
	if app.Function == nil {
		process.Writes, err = writes(function.Environment)
		if err != nil && app.Root == "" { // the bootstrap of an image may be another release's, which says it itself
			return fmt.Errorf("the function's environment: %w", err)
		}
		if err := agreeOnMode(w.Stack, function.Environment); err != nil {
			return err
		}
	}
	if app.State != "" {
		state := filepath.Join(w.dir, "state")
		if err := os.Mkdir(state, 0o755); err != nil {
			return fmt.Errorf("make a directory for the app's state: %w", err)
		}
		function.Environment[app.State] = state
		process.Visible = append(process.Visible, state)
		process.Writable = append(process.Writable, state)
	}
	emulator, err := lambda.New(lambda.Config{
		Function:    function,
		Process:     process,
		Extensions:  extensions,
		Stranger:    w.stranger(),
		Region:      w.cfg.Region,
		Credentials: w.credentials(),
		Concurrency: w.cfg.Concurrency,
		Queue:       app.Port != 0,
		NoFreeze:    w.cfg.NoFreeze,
		SnapStart:   w.snapStart(),
		Limits:      lambda.Limits{Init: w.faster(w.initLimit())},
		Unbounded:   limitUploads(function),
		Dir:         environments,
		Record:      withSteps(w.Recorder.Record),
		Log:         w.cfg.Log,
	})
	if err != nil {
		return err
	}
	w.Lambda = emulator
	w.onClose(emulator.Close)
	return nil
}

// prepared holds invocations until the app's environments may start.
func (w *World) prepared(invoke http.Handler) http.Handler {
	if w.cfg.App.Await == nil {
		return invoke
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if err := w.cfg.App.Await(r.Context()); err != nil {
			http.Error(rw, err.Error(), http.StatusServiceUnavailable) // to nobody: the caller is gone
			return
		}
		invoke.ServeHTTP(rw, r)
	})
}

// process is the app with the bootstrap in front of it, or a function as it is.
func (w *World) process() (lambda.Process, []lambda.Extension) {
	app := w.cfg.App
	p := lambda.Process{Command: app.Command, Root: app.Root, Dir: app.Dir, Env: app.ImageEnv, Scratch: app.Scratch, Writable: slices.Clone(app.Writable)}
	if f := app.Function; f != nil {
		p.Task, p.Handler = f.Task, f.Handler
		return p, f.Extensions
	}
	if app.Root == "" {
		p.Command = append([]string{w.cfg.Bootstrap, "--"}, p.Command...)
	}
	p.Handler, p.Client = app.Name, settings.UserAgent
	return p, nil
}

// writes are the paths that the bootstrap makes. An error is that of a setting.
func writes(env map[string]string) ([]string, error) {
	s, err := settings.Read(func(name string) (string, bool) {
		if name == settings.RuntimeAPIVariable { // which Lambda sets
			return "127.0.0.1:0", true
		}
		return env[name], true
	})
	if err != nil {
		return nil, err
	}
	paths := s.ColdStart.Writable
	if s.ColdStart.ConfigS3 != (settings.Object{}) {
		paths = append(paths, s.ColdStart.ConfigPath)
	}
	return paths, nil
}

// stranger says once that the app is no web server.
func (w *World) stranger() func(environment, userAgent string) {
	var once sync.Once
	return func(environment, userAgent string) {
		once.Do(func() {
			err := fmt.Errorf("the app asks Lambda for invocations itself (User-Agent %q): it is a Lambda function, not a web server, and on AWS would take requests away from the bootstrap", userAgent)
			if w.cfg.FunctionAdvice != "" {
				err = hint.With(err, "%s", w.cfg.FunctionAdvice)
			}
			w.Recorder.Record(timeline.Event{Kind: timeline.Notice, Environment: environment, Note: hint.Text(err)})
		})
	}
}

// agreeOnMode refuses a bootstrap that streams to an integration that reads whole answers,
// and the reverse: API Gateway answers 502 to every call then.
func agreeOnMode(s *stack.Stack, env map[string]string) error {
	mode := cmp.Or(env[settings.ResponseModeVariable], "stream")
	wants := map[string]string{stack.TransferStream: "stream", stack.TransferBuffered: "buffered"}
	for _, r := range s.RestAPI.Resources {
		for _, m := range r.Methods {
			i := m.Integration
			want, known := wants[i.ResponseTransferMode]
			if i.Type != stack.IntegrationProxy || !known || mode == want {
				continue
			}
			return hint.With(fmt.Errorf("integration %s: response_transfer_mode is %s, and the bootstrap answers with %s=%s",
				cmp.Or(i.Address, r.Address), i.ResponseTransferMode, settings.ResponseModeVariable, mode),
				"set response_transfer_mode STREAM and the uri that streams, or %s=%s in the function's environment", settings.ResponseModeVariable, want)
		}
	}
	return nil
}

// maxInvoke bounds what is read of an event before its signature is known: a little
// more than Lambda's own limit, which answers with its own error.
const maxInvoke = 6<<20 + 4096

// keys are those by which the app, and a person with an AWS client, may use the
// emulated services.
func (w *World) keys() []sigv4.Key {
	if w.cfg.Stores != nil {
		return []sigv4.Key{w.cfg.Stores.Role, w.cfg.Stores.User}
	}
	return []sigv4.Key{w.role}
}

// credentials are the role's, as its environments get them.
func (w *World) credentials() lambda.Credentials {
	role := w.keys()[0]
	return lambda.Credentials{AccessKeyID: role.ID, SecretAccessKey: role.Secret, SessionToken: role.Token}
}

// Lambda's limit of the init phase, and when the bootstrap gives up waiting in it.
const (
	initLimit     = 10 * time.Second
	bootstrapInit = 9 * time.Second
)

func (w *World) initLimit() time.Duration {
	if w.snapStart() == nil {
		return initLimit
	}
	return max(lambda.LongInit, w.Stack.Function.Timeout)
}

func (w *World) faster(d time.Duration) time.Duration {
	return time.Duration(float64(d) / w.cfg.Speed)
}

// environment is the function's, with what the rehearsal knows about the app.
func (w *World) environment() map[string]string {
	env := maps.Clone(w.Stack.Function.Environment)
	if env == nil {
		env = map[string]string{}
	}
	if w.cfg.App.Function != nil {
		for _, s := range settings.Table() {
			delete(env, s.Name)
		}
		maps.Copy(env, w.cfg.App.Env)
		return env
	}
	if w.cfg.Speed != 1 {
		env[settings.InitLimitVariable] = w.faster(bootstrapInit).String()
	}
	if w.cfg.App.Port != 0 {
		env[settings.AppPortVariable] = strconv.Itoa(w.cfg.App.Port)
	}
	if w.cfg.App.ReadyPath != "" {
		env[settings.ReadyPathVariable] = w.cfg.App.ReadyPath
		delete(env, settings.ReadyStatusVariable) // of the stack's path
	}
	if w.cfg.App.ReadyStatus != "" {
		env[settings.ReadyStatusVariable] = w.cfg.App.ReadyStatus
	}
	env[settings.ReadyProbesVariable] = "running"                                 // Lambda's environments have their processors to themselves
	env[settings.PublicHostVariable] = strings.TrimPrefix(w.ViewerURL, "http://") // the stack's is that of AWS
	if w.cfg.SnapshotAge > 0 {
		env[settings.SnapshotAgeVariable] = w.cfg.SnapshotAge.String()
	}
	dropColdStart(env, w.cfg.App)
	maps.Copy(env, w.cfg.App.Env)
	return env
}

// dropColdStart takes from the stack's environment what names things of the
// deployed app that this one does not have: parameters and objects where the app
// has no emulated AWS, and paths of an image where there is no image.
func dropColdStart(env map[string]string, app App) {
	noAWS := app.Env[settings.EndpointSSMVariable] == "" && app.Env[settings.EndpointS3Variable] == ""
	for _, s := range settings.Table() {
		if s.Names == settings.NamesResources && noAWS || s.Names == settings.NamesPaths && app.Root == "" {
			delete(env, s.Name)
		}
	}
}
