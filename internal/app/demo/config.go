package demo

import (
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/aproorg/sluice/internal/app/demo/chats"
)

// Config says how the demo app runs. The zero value listens on a free port and keeps its state in memory.
type Config struct {
	// Port on 127.0.0.1; 0 is a free one.
	Port int
	// StateDir is shared by the processes that serve one site. Empty: the state lives and dies with the process.
	StateDir string
	// Environment names this process in its answers. Empty: a random name.
	Environment string
	// TitleWork is how long the app works on a chat's title after the answer has ended. 0 is 1.5 s.
	TitleWork time.Duration
	// Grace is how long running answers and work after the response may take to end once the context is done.
	// 0 is 400 ms, for Lambda leaves 500 ms between SIGTERM and SIGKILL.
	Grace time.Duration
	// Listening, if set, is told the address once the server accepts connections.
	Listening func(addr string)
	// Crash ends the process when a visitor asks for it. Nil panics, as a broken app would.
	Crash func()
	// Log gets one line per start, stop and failure. Nil discards.
	Log *slog.Logger
}

// ConfigFrom reads the settings of a demo process from its environment:
//
//	PORT                        the port to listen on, on 127.0.0.1
//	DEMO_STATE_DIR              a directory shared by all environments; absent: memory
//	SLUICE_ENVIRONMENT          the name of this execution environment, else
//	AWS_LAMBDA_LOG_STREAM_NAME  which is unique for each execution environment on Lambda
//	DEMO_TITLE_WORK             a duration such as 1500ms
func ConfigFrom(getenv func(string) string) (Config, error) {
	c := Config{StateDir: getenv("DEMO_STATE_DIR"), Environment: getenv("SLUICE_ENVIRONMENT")}
	if c.Environment == "" {
		c.Environment = getenv("AWS_LAMBDA_LOG_STREAM_NAME")
	}
	if v := getenv("PORT"); v != "" {
		port, err := strconv.Atoi(v)
		if err != nil || port < 0 || port > 65535 {
			return Config{}, fmt.Errorf("PORT=%q is not a port number from 0 to 65535", v)
		}
		c.Port = port
	}
	if v := getenv("DEMO_TITLE_WORK"); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 {
			return Config{}, fmt.Errorf("DEMO_TITLE_WORK=%q is not a duration above zero, such as 1500ms", v)
		}
		c.TitleWork = d
	}
	return c, nil
}

// withDefaults fills in what the zero value leaves open.
func (c Config) withDefaults() Config {
	if c.Environment == "" {
		c.Environment = "process-" + chats.NewID()[:8]
	}
	if c.TitleWork == 0 {
		c.TitleWork = 1500 * time.Millisecond
	}
	if c.Grace == 0 {
		c.Grace = 400 * time.Millisecond
	}
	if c.Crash == nil {
		c.Crash = func() { go panic("demo: a visitor asked for a crash") }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
