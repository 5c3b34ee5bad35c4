// Package settings holds what the bootstrap is told by its environment: read once, at its start, each variable documented
// in one table from which the help text and the documents are made.
//
// It leaves out what only the app needs: the app inherits the environment as it is.
package settings

import (
	"fmt"
	"log/slog"
	"regexp"
	"time"
)

// Settings are the parsed values. Read fills every field; the zero value is not useful.
type Settings struct {
	// RuntimeAPI is the host:port of Lambda's Runtime API.
	RuntimeAPI string
	// Concurrency is the number of invocations served at once, at least 1.
	Concurrency int
	// LongInit is set where Lambda allows the init phase more than 10 s: provisioned concurrency and SnapStart.
	LongInit bool

	AppHost string
	// AppPort is 0 where a free one is to be picked.
	AppPort int
	AppDir  string

	// ReadyPath is empty where an open port is enough.
	ReadyPath     string
	ReadyStatus   Statuses
	ReadyAttempts int
	ReadyInterval time.Duration
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
	SilenceLimit   time.Duration
	EarlyHeaders   time.Duration
	DeadlineMargin time.Duration
	// DeadlineEvent is the data of the last event of a stream that is cut; empty breaks the stream off.
	DeadlineEvent string

	DrainLimit time.Duration
	DrainTimer time.Duration
	Preload    bool
	BusyPath   string

	Debug bool
}

// Secret is a string that no formatting, encoding or logging shows.
type Secret string

const redacted = "[redacted]"

// String hides the value from %s and %v, GoString from %#v, MarshalText from encoders, LogValue from slog.
func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }

// Setting documents one variable.
type Setting struct {
	Name    string
	Default string
	Meaning string
}

// Table returns every variable that Read knows, in the order in which a reader wants them.
func Table() []Setting {
	out := make([]Setting, 0, len(table))
	for _, v := range table {
		out = append(out, v.Setting)
	}
	return out
}

// Read takes each variable from lookup (os.LookupEnv in main). A variable that is unset or empty has its default.
// The error names the variable and what it may hold.
func Read(lookup func(string) (string, bool)) (Settings, error) {
	var s Settings
	for _, v := range table {
		text, _ := lookup(v.Name)
		if text == "" {
			text = v.Default
		}
		if err := v.parse(&s, text); err != nil {
			return Settings{}, fmt.Errorf("setting %s=%q: %w", v.Name, shown(v.Name, text), err)
		}
	}
	if s.ForwardedHops < 0 {
		s.ForwardedHops = 0
		if s.OriginSecret != "" {
			s.ForwardedHops = 1
		}
	}
	return s, nil
}

func shown(name, text string) string {
	if name == "SLUICE_ORIGIN_SECRET" {
		return redacted
	}
	return text
}
