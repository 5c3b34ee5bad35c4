// Package settings holds the bootstrap's settings: variables of its environment, read once at its start. One table names them
// all; the help text, the documents and the parsers that other packages share come from it. A new setting is a line of the
// table and the field that the line fills.
//
// It leaves out what only the app needs: the app inherits the environment as it is.
package settings

import (
	"fmt"
	"regexp"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/sse"
	"github.com/aproorg/sluice/internal/hint"
)

// Settings are the parsed values. Read fills every field; the zero value is not useful.
type Settings struct {
	// RuntimeAPI is the host:port of Lambda's Runtime API.
	RuntimeAPI string
	// Concurrency is the number of invocations served at once, at least 1.
	Concurrency int
	// LongInit is set where Lambda allows the init phase more than 10 s: provisioned concurrency and SnapStart.
	LongInit bool
	// SnapStart is set where Lambda takes a snapshot of the environment when it is ready, and makes others of it.
	SnapStart bool

	AppHost string
	// AppPort is 0 where a free one is to be picked.
	AppPort int
	AppDir  string

	// ReadyPath is empty where an open port is enough.
	ReadyPath     string
	ReadyStatus   Statuses
	ReadyAttempts int
	ReadyInterval time.Duration
	// ReadyFair counts no probe while the app waits for a processor.
	ReadyFair bool
	// ReadyLog is nil where the app's output does not matter.
	ReadyLog  *regexp.Regexp
	InitLimit time.Duration
	StopGrace time.Duration
	Extension bool

	// Buffered is set where the gateway in front does not stream.
	Buffered      bool
	BasePath      string
	OriginSecret  Secret
	PublicHost    string
	ForwardedHops int
	EventsPath    string

	Heartbeat      time.Duration
	HeartbeatForm  sse.Form
	SilenceLimit   time.Duration
	EarlyHeaders   time.Duration
	DeadlineMargin time.Duration
	// DeadlineEvent is the data of the last event of a stream that is cut; empty breaks the stream off.
	DeadlineEvent string

	DrainLimit time.Duration
	DrainTimer time.Duration
	DrainStart time.Duration
	Preload    bool
	BusyPath   string

	Uploads Uploads

	Snapshot Snapshot

	Debug bool

	ColdStart ColdStart
	AWS       AWS
}

// Snapshot says what is done before and after a snapshot of SnapStart.
type Snapshot struct {
	// WarmPaths are asked of the app before the snapshot, in this order.
	WarmPaths []string
	// BeforePath and AfterPath, if set, are posted to, before the snapshot and after a restore.
	BeforePath, AfterPath string
	// RestoreLimit bounds all that comes between the restore and the first invocation.
	RestoreLimit time.Duration
	// Refresh is the age from which what was fetched before the snapshot is fetched anew.
	Refresh time.Duration
	// Age is added to that of the snapshot, and Node's clock is so much behind before: a rehearsal does not wait.
	Age time.Duration
}

// TmpMargin is what of /tmp is left for what else the app writes beside an upload, in bytes.
const TmpMargin = 32 << 20

// Uploads says how bodies that are too large for Lambda come by way of S3. Without a bucket they do not.
type Uploads struct {
	// Object is the bucket, and the prefix of the keys.
	Object    Object
	Authorize string // path of the app that answers 2xx to a user who may upload
	User      string // JSON pointer of the user's id in that answer
	Limit     int64  // of a body, in bytes; 0 is what fits into the directory for temporary files
	Secret    string // variable whose value the tickets' key is made of
}

// ColdStart says what is fetched before the app starts. The zero value fetches nothing and serves no credentials.
type ColdStart struct {
	// Secrets are variables of the app, each with the name or ARN of its parameter.
	Secrets []SecretRef
	// EnvS3 and EnvParameter hold further variables in dotenv format. The parameter wins over the object.
	EnvS3        Object
	EnvParameter string
	// ConfigS3 is written to ConfigPath, which ConfigVariable names to the app, after the replacements, if it is valid YAML.
	ConfigS3       Object
	ConfigPath     string
	ConfigVariable string
	ConfigReplace  []Replacement
	ConfigExpect   []Expectation // one of them is enough
	// Writable are directories to be made. A symbolic link stands for what it points at.
	Writable []string
	// Reach are variables of the app with URIs of servers that must answer before it is started.
	Reach []string
	// EndpointSSM and EndpointS3 are URLs used instead of AWS's own; empty where AWS's are.
	EndpointSSM, EndpointS3 string
	// ServeCredentials keeps Lambda's keys from the app and serves them at an endpoint.
	ServeCredentials bool
	// Limit is the time that all of it may take.
	Limit time.Duration
}

// Setting documents one variable.
type Setting struct {
	Name    string
	Default string
	Group   Group
	Meaning string
	// Names is what of the deployed app the variable names, if anything: without it, the variable has to go.
	Names Names
}

// Group is the heading under which a reader finds a setting.
type Group string

// The groups, in the table's order.
const (
	Serving  Group = "The app and its requests"
	Fetching Group = "What is fetched at a cold start"
	Restored Group = "SnapStart"
)

// Groups are all of them.
var Groups = []Group{Serving, Fetching, Restored}

// Names is a kind of thing that a variable's value names.
type Names int

const (
	// NamesResources of AWS: parameters, objects, and variables or places that those bring.
	NamesResources Names = iota + 1
	// NamesPaths of the app's image.
	NamesPaths
)

// Table returns every variable that Read knows, in the order in which a reader wants them.
func Table() []Setting {
	var out []Setting
	for _, v := range table(new(Settings)) {
		out = append(out, v.Setting)
	}
	return out
}

// Read takes each variable from lookup (os.LookupEnv in main). A variable that is unset or empty has its default.
// The error names the variable and what it may hold.
func Read(lookup func(string) (string, bool)) (Settings, error) {
	var s Settings
	for _, v := range table(&s) {
		text, _ := lookup(v.Name)
		if text == "" {
			text = v.Default
		}
		if err := v.parse(text); err != nil {
			return Settings{}, fmt.Errorf("setting %s%s: %w", v.Name, shown(v.Name, text), err)
		}
	}
	if s.ForwardedHops < 0 {
		s.ForwardedHops = 0
		if s.OriginSecret != (Secret{}) {
			s.ForwardedHops = 1
		}
	}
	if s.Uploads.Object.Bucket != "" && s.Uploads.Authorize == "" {
		return Settings{}, hint.With(fmt.Errorf("setting %s is not set, and %s is: nobody could be asked who may upload", UploadAuthorizeVariable, UploadsS3Variable),
			"set it to a path of the app that answers 2xx to a signed-in user alone")
	}
	s.AWS = readAWS(lookup)
	return s, nil
}

// shown is a value that may stand in an error. Where references to secrets are wanted, somebody may have put a secret.
func shown(name, text string) string {
	if name == OriginSecretVariable || name == SecretsVariable {
		return ""
	}
	return fmt.Sprintf("=%q", text)
}
