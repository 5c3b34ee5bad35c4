package settings

import (
	"regexp"
	"time"
)

// Prefix begins every variable of the bootstrap's own.
const Prefix = "SLUICE_"

// NotReady is how the bootstrap's log lines begin that say what it waits for while the
// app starts. A rehearsal shows them.
const NotReady = "the app is not ready yet"

// TimerDue is how the lines begin that tell of a timer of the app which a freeze has
// delayed. A rehearsal shows each once.
const TimerDue = "a timer of the app was due while its environment was frozen, and runs late"

// Variables that other packages name too.
const (
	RuntimeAPIVariable    = "AWS_LAMBDA_RUNTIME_API"
	AppPortVariable       = Prefix + "APP_PORT"
	ReadyPathVariable     = Prefix + "READY_PATH"
	ReadyStatusVariable   = Prefix + "READY_STATUS"
	ReadyProbesVariable   = Prefix + "READY_PROBES"
	InitLimitVariable     = Prefix + "INIT_LIMIT"
	ResponseModeVariable  = Prefix + "RESPONSE_MODE"
	OriginSecretVariable  = Prefix + "ORIGIN_SECRET"
	PublicHostVariable    = Prefix + "PUBLIC_HOST"
	RulesVariable         = Prefix + "RULES" // the file of rules, which `sluice image` puts into an image
	SecretsVariable       = Prefix + "SECRETS"
	EnvS3Variable         = Prefix + "ENV_S3"
	EnvParameterVariable  = Prefix + "ENV_PARAMETER"
	ConfigS3Variable      = Prefix + "CONFIG_S3"
	ConfigPathVariable    = Prefix + "CONFIG_PATH"
	ConfigReplaceVariable = Prefix + "CONFIG_REPLACE"
	EndpointSSMVariable   = Prefix + "ENDPOINT_URL_SSM"
	EndpointS3Variable    = Prefix + "ENDPOINT_URL_S3"
	WritableVariable      = Prefix + "WRITABLE"
	ReachVariable         = Prefix + "REACH"
	LimitVariable         = Prefix + "COLDSTART_LIMIT"

	WarmPathsVariable      = Prefix + "WARM_PATHS"
	BeforeSnapshotVariable = Prefix + "BEFORE_SNAPSHOT_PATH"
	AfterRestoreVariable   = Prefix + "AFTER_RESTORE_PATH"
	SnapshotAgeVariable    = Prefix + "SNAPSHOT_AGE"

	UploadsS3Variable       = Prefix + "UPLOADS_S3"
	UploadAuthorizeVariable = Prefix + "UPLOAD_AUTHORIZE"
	UploadUserVariable      = Prefix + "UPLOAD_USER"
	UploadSecretVariable    = Prefix + "UPLOAD_SECRET"
	UploadLimitVariable     = Prefix + "UPLOAD_LIMIT"
)

// CompileCacheVariable names a directory in which Node keeps compiled code:
// https://nodejs.org/api/module.html#module-compile-cache
const CompileCacheVariable = "NODE_COMPILE_CACHE"

// CompileCacheTag is the name of a directory in it: Node's version, the architecture, V8's version and flags, and last the
// user's id, who is another on Lambda than where an image was made.
var CompileCacheTag = regexp.MustCompile(`^(v\d+\.\d+\.\d+[0-9a-z.+-]*-[0-9a-z]+-[0-9a-f]+-)(\d+)$`)

// UserAgent begins the User-Agent with which the bootstrap asks for invocations. Who asks
// beside it takes them away from it.
const UserAgent = "sluice-bootstrap/"

// OriginVerifyHeader is the header in which the distribution brings the origin secret.
const OriginVerifyHeader = "X-Origin-Verify"

// deadlineEvent has its message where clients look for one: those of OpenAI's and Anthropic's APIs in an object of the name
// error, others at the top.
const deadlineEvent = `{"type":"error","error":{"type":"timeout_error","message":"The time limit of this request has been reached."},"message":"The time limit of this request has been reached."}`

type variable struct {
	Setting
	parse parser
}

// row is a variable that parse takes to its field, and what of the deployed app it names, if anything.
func row(name, deflt string, group Group, meaning string, parse parser, names ...Names) variable {
	v := variable{Setting{Name: name, Default: deflt, Group: group, Meaning: meaning}, parse}
	if len(names) > 0 {
		v.Names = names[0]
	}
	return v
}

// table names every variable and the field of s that it fills. It is the only place that a new setting needs, beside the field.
func table(s *Settings) []variable {
	c := &s.ColdStart
	return []variable{
		row(RuntimeAPIVariable, "", Serving, "host:port of the Runtime API; Lambda sets it", address(&s.RuntimeAPI)),
		row("AWS_LAMBDA_MAX_CONCURRENCY", "1", Serving, "invocations served at once; Lambda sets it where it sends more than one", number(&s.Concurrency, 1, 1000)),
		row("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand", Serving, "Lambda sets it; provisioned-concurrency and snap-start have no 10 s limit of the init phase", initialization(s)),

		row("SLUICE_APP_HOST", "127.0.0.1", Serving, "address at which the app is reached", by(&s.AppHost, host)),
		row(AppPortVariable, "0", Serving, "port of the app, which gets it as PORT; 0 picks a free one", number(&s.AppPort, 0, 65535)),
		row("SLUICE_APP_DIR", "", Serving, "working directory of the app; empty keeps the image's", text(&s.AppDir)),
		row(ReadyPathVariable, "/health", Serving, "the app is ready when a GET of this path answers with a status of SLUICE_READY_STATUS; `tcp` is ready once the port is open", readyPath(&s.ReadyPath)),
		row(ReadyStatusVariable, "200-399", Serving, "statuses of SLUICE_READY_PATH that mean ready: numbers and ranges, such as 200-399,404 for an app whose path answers 404 by design", by(&s.ReadyStatus, ParseStatuses)),
		row("SLUICE_READY_ATTEMPTS", "60", Serving, "probes before the start counts as failed", number(&s.ReadyAttempts, 1, 1_000_000)),
		row("SLUICE_READY_INTERVAL", "500ms", Serving, "time between two probes; the port is watched in between, so that an app that opens late is seen at once", duration(&s.ReadyInterval, time.Millisecond)),
		row(ReadyProbesVariable, "all", Serving, "which probes count: all, or those during which the app is `running`, for a machine that is busy with other things. What the app waits for a processor is then left out; a rehearsal sets it", oneOf(&s.ReadyFair, "all", "running")),
		row("SLUICE_READY_LOG", "", Serving, "regular expression that a line of the app's output must also have matched", optional(pattern(&s.ReadyLog))),
		row(InitLimitVariable, "9s", Serving, "the first invocation is asked for after this time at the latest, and the start goes on inside it; Lambda ends the init phase after 10 s", duration(&s.InitLimit, time.Millisecond)),
		row("SLUICE_STOP_GRACE", "1.8s", Serving, "time between SIGTERM and SIGKILL of the app at shutdown; Lambda allows 500 ms, or 2 s with an external extension", duration(&s.StopGrace, 0)),
		row("SLUICE_EXTENSION", "true", Serving, "register as an internal extension; without any extension Lambda sends SIGKILL and no SIGTERM", boolean(&s.Extension)),

		row(ResponseModeVariable, "stream", Serving, "stream or buffered; what the REST API's integration or the function URL is set to. HTTP APIs and load balancers are always answered buffered", oneOf(&s.Buffered, "stream", "buffered")),
		row("SLUICE_BASE_PATH", "", Serving, "prefix such as a stage, taken off the request path once, at a segment boundary", prefix(&s.BasePath)),
		row(OriginSecretVariable, "", Serving, "requests without this value in X-Origin-Verify get 403; the app sees neither the header nor this variable", secret(&s.OriginSecret)),
		row(PublicHostVariable, "", Serving, "X-Forwarded-Host for the app, host or host:port; empty takes the request's Host", optional(by(&s.PublicHost, hostPort))),
		row("SLUICE_FORWARDED_HOPS", "-1", Serving, "proxies between the viewer and the gateway, whose addresses are cut from X-Forwarded-For; -1 is 1 (CloudFront) with an origin secret and 0 without", number(&s.ForwardedHops, -1, 16)),
		row("SLUICE_EVENTS_PATH", "/events", Serving, "where events that are not HTTP are posted; a request from the web to this path is refused, in whatever spelling, unless it is a GET, HEAD or OPTIONS without a body", path(&s.EventsPath)),

		row("SLUICE_HEARTBEAT", "15s", Serving, "an event stream silent for so long gets a heartbeat; 0 is off", duration(&s.Heartbeat, 0)),
		row("SLUICE_HEARTBEAT_FORM", "auto", Serving, "`event` is an event `ping`, `comment` a line that clients skip; `auto` is an event where all of the app's own events have names (not message) and none has an id, else a comment", by(&s.HeartbeatForm, heartbeatForm)),
		row("SLUICE_SILENCE_LIMIT", "0", Serving, "an event stream on which the app has sent no event for so long is broken off, for clients that then resume; heartbeats and the app's own comments do not count; 0 is off", duration(&s.SilenceLimit, 0)),
		row("SLUICE_EARLY_HEADERS", "0", Serving, "a request that accepts text/event-stream and has no answer after this time gets a 200 with heartbeats; the app's own status is then only known to the stream; 0 is off", duration(&s.EarlyHeaders, 0)),
		row("SLUICE_DEADLINE_MARGIN", "5s", Serving, "time before Lambda's timeout at which a response is ended; never more than a quarter of the timeout", duration(&s.DeadlineMargin, 0)),
		row("SLUICE_DEADLINE_EVENT", deadlineEvent, Serving, "data of the `event: error` that ends an event stream at the deadline; a JSON-RPC request (MCP) gets an error with it, or a broken stream where the events have ids; `break` breaks the stream off instead, for clients that then resume", eventData(&s.DeadlineEvent)),

		row("SLUICE_DRAIN_LIMIT", "15m", Serving, "longest time that an invocation is held open for the app's work after the response; the deadline bounds it too; 0 is off", duration(&s.DrainLimit, 0)),
		row("SLUICE_DRAIN_TIMER", "2s", Serving, "Node: a setTimeout of at most this length, made by a request, counts as its work (retries, debounced saves); 0 ignores timers", duration(&s.DrainTimer, 0)),
		row("SLUICE_DRAIN_START", "30s", Serving, "Node: for so long in all, invocations are held for requests, connections and child processes that the app's start has begun and that go on when it is ready, such as slow MCP servers; 0 ignores them", duration(&s.DrainStart, 0)),
		row("SLUICE_PRELOAD", "true", Serving, "give Node and Python apps the script that knows whether work is left, by NODE_OPTIONS and PYTHONPATH", boolean(&s.Preload)),
		row("SLUICE_BUSY_PATH", "", Serving, "path of the app that answers 2xx when it is idle and 503 while work is left", optional(path(&s.BusyPath))),

		row(UploadsS3Variable, "", Serving, "s3://bucket/prefix/ for bodies of requests that are larger than Lambda takes: a client asks for a ticket (POST /_sluice/uploads), puts the body there, and sends the request without it; empty is off", optional(by(&s.Uploads.Object, ParsePrefix)), NamesResources),
		row(UploadAuthorizeVariable, "", Serving, "path of the app that answers a GET with 2xx to a user who may upload, and with 401 or 403 to anybody else", optional(path(&s.Uploads.Authorize))),
		row(UploadUserVariable, "/id", Serving, "JSON pointer (RFC 6901) of the user's id in that answer; a ticket is good for this user alone", by(&s.Uploads.User, jsonPointer)),
		row(UploadLimitVariable, "0", Serving, "largest body, such as 200MB (MB is a million bytes, MiB 1024 times 1024); 0 is what there is room for in /tmp, less 32 MiB, where most apps write a body first", by(&s.Uploads.Limit, byteSize)),
		row(UploadSecretVariable, OriginSecretVariable, Serving, "name of the variable whose value the key of tickets is derived from; all environments must have the same", by(&s.Uploads.Secret, variableName)),

		row(RulesVariable, "", Serving, "JSON file of rules by which files of the app add to the environment, for what its releases need; `sluice image` puts one into the image", readByExtend),
		row("SLUICE_LOG_LEVEL", "info", Serving, "info or debug; debug logs each request", oneOf(&s.Debug, "info", "debug")),

		row(SecretsVariable, "", Fetching, "variables of the app that are secrets: NAME=parameter name or ARN, divided by commas or white space", by(&c.Secrets, ParseSecrets), NamesResources),
		row(EnvS3Variable, "", Fetching, "s3://bucket/key of further variables of the app in dotenv format, for what passes Lambda's 4 KB; the function's own win", optional(by(&c.EnvS3, ParseObject)), NamesResources),
		row(EnvParameterVariable, "", Fetching, "name or ARN of a parameter with further variables, as above; it wins over the object", text(&c.EnvParameter), NamesResources),
		row(ConfigS3Variable, "", Fetching, "s3://bucket/key of the app's configuration file, valid YAML", optional(by(&c.ConfigS3, ParseObject)), NamesResources),
		row(ConfigPathVariable, "/tmp/sluice/config.yaml", Fetching, "where it is written", by(&c.ConfigPath, absolute)),
		row("SLUICE_CONFIG_VARIABLE", "CONFIG_PATH", Fetching, "the variable that names this path to the app", by(&c.ConfigVariable, variableName)),
		row(ConfigReplaceVariable, "", Fetching, "replacements in the configuration, such as the domain: FROM=TO, divided by commas", by(&c.ConfigReplace, ParseReplacements), NamesResources),
		row("SLUICE_CONFIG_EXPECT", "", Fetching, "what the configuration should say at its top level: KEY or KEY=VALUE, any one of several divided by commas; the log of a cold start warns where it says none", by(&c.ConfigExpect, ParseExpectations)),
		row(WritableVariable, "", Fetching, "directories to make before the app starts, divided by commas; a symbolic link in the image stands for what it points at", by(&c.Writable, absolutes), NamesPaths),
		row(ReachVariable, "", Fetching, "variables of the app with URIs of servers that it cannot start without, such as MONGO_URI,REDIS_URI: one that does not answer within 3 s is the error of the init phase", by(&c.Reach, variableNames), NamesResources),
		row(EndpointSSMVariable, "", Fetching, "URL of Parameter Store where it is not AWS's own, such as a VPC endpoint without private DNS or an emulator; AWS_ENDPOINT_URL is the app's and is not read", optional(by(&c.EndpointSSM, endpoint))),
		row(EndpointS3Variable, "", Fetching, "URL of S3, as above; buckets are then in its path", optional(by(&c.EndpointS3, endpoint))),
		row("SLUICE_CREDENTIALS", "endpoint", Fetching, "endpoint keeps Lambda's keys from the app and serves them at a loopback address; environment leaves them where they are", oneOf(&c.ServeCredentials, "environment", "endpoint")),
		row(LimitVariable, "8s", Fetching, "time for all that is fetched before the app starts; Lambda's init phase has 10 s", duration(&c.Limit, time.Nanosecond)),

		row(WarmPathsVariable, "", Restored, "paths of the app that are asked by GET before the snapshot, divided by commas, so that the code and the pages behind them are in it", by(&s.Snapshot.WarmPaths, paths)),
		row(BeforeSnapshotVariable, "", Restored, "path of the app that is posted to before the snapshot; an answer other than 2xx fails the publishing of the version", optional(path(&s.Snapshot.BeforePath))),
		row(AfterRestoreVariable, "", Restored, "path of the app that is posted to after a restore; an answer other than 2xx ends the environment. Nobody else reaches either path", optional(path(&s.Snapshot.AfterPath))),
		row("SLUICE_RESTORE_REFRESH", "5m", Restored, "age from which secrets, variables and configuration that were fetched before the snapshot are fetched anew after a restore; an app that does not take what has changed is then started anew", duration(&s.Snapshot.Refresh, 0)),
		row(SnapshotAgeVariable, "0", Restored, "how much older than it is a snapshot counts, with Node's clock so much behind before it; a rehearsal sets it, which does not wait for hours", duration(&s.Snapshot.Age, 0)),
		row("SLUICE_RESTORE_LIMIT", "7s", Restored, "time for all that is done after a restore; Lambda allows 10 s", duration(&s.Snapshot.RestoreLimit, time.Millisecond)),
	}
}
