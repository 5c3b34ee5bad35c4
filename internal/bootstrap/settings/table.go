package settings

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"
)

type variable struct {
	Setting
	parse func(*Settings, string) error
}

var table = []variable{
	{Setting{"AWS_LAMBDA_RUNTIME_API", "", "host:port of the Runtime API; Lambda sets it"},
		func(s *Settings, v string) error { return address(&s.RuntimeAPI, v) }},
	{Setting{"AWS_LAMBDA_MAX_CONCURRENCY", "1", "invocations served at once; Lambda sets it where it sends more than one"},
		func(s *Settings, v string) error { return number(&s.Concurrency, v, 1, 1000) }},
	{Setting{"AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand", "Lambda sets it; provisioned-concurrency and snap-start have no 10 s limit of the init phase"},
		func(s *Settings, v string) error { s.LongInit = v != "on-demand"; return nil }},

	{Setting{"SLUICE_APP_HOST", "127.0.0.1", "address at which the app is reached"},
		func(s *Settings, v string) error { s.AppHost = v; return nil }},
	{Setting{"SLUICE_APP_PORT", "0", "port of the app, which gets it as PORT; 0 picks a free one"},
		func(s *Settings, v string) error { return number(&s.AppPort, v, 0, 65535) }},
	{Setting{"SLUICE_APP_DIR", "", "working directory of the app; empty keeps the image's"},
		func(s *Settings, v string) error { s.AppDir = v; return nil }},
	{Setting{"SLUICE_READY_PATH", "/health", "the app is ready when a GET of this path answers with a status of SLUICE_READY_STATUS; `tcp` is ready once the port is open"},
		func(s *Settings, v string) error { return readyPath(&s.ReadyPath, v) }},
	{Setting{"SLUICE_READY_STATUS", "200-399", "statuses of SLUICE_READY_PATH that mean ready: numbers and ranges, such as 200-399,404 for an app whose path answers 404 by design"},
		func(s *Settings, v string) (err error) { s.ReadyStatus, err = ParseStatuses(v); return err }},
	{Setting{"SLUICE_READY_ATTEMPTS", "60", "probes before the start counts as failed"},
		func(s *Settings, v string) error { return number(&s.ReadyAttempts, v, 1, 1_000_000) }},
	{Setting{"SLUICE_READY_INTERVAL", "500ms", "time between two probes; the port is watched in between, so that an app that opens late is seen at once"},
		func(s *Settings, v string) error { return duration(&s.ReadyInterval, v, time.Millisecond) }},
	{Setting{"SLUICE_READY_LOG", "", "regular expression that a line of the app's output must also have matched"},
		func(s *Settings, v string) error { return pattern(&s.ReadyLog, v) }},
	{Setting{"SLUICE_INIT_LIMIT", "9s", "the first invocation is asked for after this time at the latest, and the start goes on inside it; Lambda ends the init phase after 10 s"},
		func(s *Settings, v string) error { return duration(&s.InitLimit, v, time.Millisecond) }},
	{Setting{"SLUICE_STOP_GRACE", "1.8s", "time between SIGTERM and SIGKILL of the app at shutdown; Lambda allows 500 ms, or 2 s with an external extension"},
		func(s *Settings, v string) error { return duration(&s.StopGrace, v, 0) }},
	{Setting{"SLUICE_EXTENSION", "true", "register as an internal extension; without any extension Lambda sends SIGKILL and no SIGTERM"},
		func(s *Settings, v string) error { return boolean(&s.Extension, v) }},

	{Setting{"SLUICE_RESPONSE_MODE", "stream", "stream or buffered; what the REST API's integration or the function URL is set to. HTTP APIs and load balancers are always answered buffered"},
		func(s *Settings, v string) error { return oneOf(&s.Buffered, v, "stream", "buffered") }},
	{Setting{"SLUICE_BASE_PATH", "", "prefix such as a stage, taken off the request path once, at a segment boundary"},
		func(s *Settings, v string) error { return prefix(&s.BasePath, v) }},
	{Setting{"SLUICE_ORIGIN_SECRET", "", "requests without this value in X-Origin-Verify get 403; the app sees neither the header nor this variable"},
		func(s *Settings, v string) error { s.OriginSecret = Secret(v); return nil }},
	{Setting{"SLUICE_PUBLIC_HOST", "", "X-Forwarded-Host for the app; empty takes the request's Host"},
		func(s *Settings, v string) error { s.PublicHost = v; return nil }},
	{Setting{"SLUICE_FORWARDED_HOPS", "-1", "proxies between the viewer and the gateway, whose addresses are cut from X-Forwarded-For; -1 is 1 (CloudFront) with an origin secret and 0 without"},
		func(s *Settings, v string) error { return number(&s.ForwardedHops, v, -1, 16) }},
	{Setting{"SLUICE_EVENTS_PATH", "/events", "where events that are not HTTP are posted"},
		func(s *Settings, v string) error { return path(&s.EventsPath, v) }},

	{Setting{"SLUICE_HEARTBEAT", "15s", "an event stream silent for so long gets an event `ping`; 0 is off"},
		func(s *Settings, v string) error { return duration(&s.Heartbeat, v, 0) }},
	{Setting{"SLUICE_SILENCE_LIMIT", "0", "an event stream on which the app has said nothing for so long is broken off, for clients that then resume; heartbeats do not count; 0 is off"},
		func(s *Settings, v string) error { return duration(&s.SilenceLimit, v, 0) }},
	{Setting{"SLUICE_EARLY_HEADERS", "0", "a request that accepts text/event-stream and has no answer after this time gets a 200 with pings; the app's own status is then only known to the stream; 0 is off"},
		func(s *Settings, v string) error { return duration(&s.EarlyHeaders, v, 0) }},
	{Setting{"SLUICE_DEADLINE_MARGIN", "5s", "time before Lambda's timeout at which a response is ended; never more than a quarter of the time given"},
		func(s *Settings, v string) error { return duration(&s.DeadlineMargin, v, 0) }},
	{Setting{"SLUICE_DEADLINE_EVENT", `{"message":"The time limit of this request has been reached."}`, "data of the `event: error` that ends an event stream at the deadline; `break` breaks the stream off instead, for clients that then resume"},
		func(s *Settings, v string) error { return eventData(&s.DeadlineEvent, v) }},

	{Setting{"SLUICE_DRAIN_LIMIT", "15m", "longest time that an invocation is held open for the app's work after the response; the deadline bounds it too; 0 is off"},
		func(s *Settings, v string) error { return duration(&s.DrainLimit, v, 0) }},
	{Setting{"SLUICE_DRAIN_TIMER", "2s", "Node: a setTimeout of at most this length, made by a request, counts as its work (retries, debounced saves); 0 ignores timers"},
		func(s *Settings, v string) error { return duration(&s.DrainTimer, v, 0) }},
	{Setting{"SLUICE_PRELOAD", "true", "give Node apps the script that knows whether work is left, by NODE_OPTIONS"},
		func(s *Settings, v string) error { return boolean(&s.Preload, v) }},
	{Setting{"SLUICE_BUSY_PATH", "", "path of the app that answers 2xx when it is idle and 503 while work is left"},
		func(s *Settings, v string) error { return optionalPath(&s.BusyPath, v) }},

	{Setting{RulesVariable, "", "JSON file of rules by which files of the app add to the environment, for what its releases need; `sluice image` puts one into the image"},
		func(*Settings, string) error { return nil }}, // Extend has read it, before all others
	{Setting{"SLUICE_LOG_LEVEL", "info", "info or debug; debug logs each request"},
		func(s *Settings, v string) error { return oneOf(&s.Debug, v, "info", "debug") }},
}

func address(to *string, v string) error {
	if v == "" {
		return errors.New("missing; set it to the host:port of a Runtime API (hint: outside Lambda, `sluice up` gives one)")
	}
	if _, _, err := net.SplitHostPort(v); err != nil {
		return fmt.Errorf("want host:port: %w", err)
	}
	*to = v
	return nil
}

func number(to *int, v string, low, high int) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		return fmt.Errorf("want a whole number from %d to %d", low, high)
	}
	*to = n
	return nil
}

func duration(to *time.Duration, v string, low time.Duration) error {
	d, err := time.ParseDuration(v)
	if err != nil || d < low {
		return fmt.Errorf("want a duration such as 500ms or 15s, at least %v", low)
	}
	*to = d
	return nil
}

func boolean(to *bool, v string) error {
	b, err := strconv.ParseBool(v)
	if err != nil {
		return errors.New("want true or false")
	}
	*to = b
	return nil
}

func oneOf(to *bool, v, no, yes string) error {
	if v != no && v != yes {
		return fmt.Errorf("want %s or %s", no, yes)
	}
	*to = v == yes
	return nil
}

func path(to *string, v string) error {
	if !strings.HasPrefix(v, "/") {
		return errors.New("want a path that begins with /")
	}
	*to = v
	return nil
}

// ReadyTCP as the path of readiness waits for the port alone.
const ReadyTCP = "tcp"

func readyPath(to *string, v string) error {
	if v == ReadyTCP {
		*to = ""
		return nil
	}
	if !strings.HasPrefix(v, "/") {
		return errors.New("want a path that begins with /, or tcp for the port alone")
	}
	*to = v
	return nil
}

func optionalPath(to *string, v string) error {
	if v == "" {
		return nil
	}
	return path(to, v)
}

func prefix(to *string, v string) error {
	v = strings.TrimRight(v, "/")
	if v != "" && !strings.HasPrefix(v, "/") {
		v = "/" + v
	}
	*to = v
	return nil
}

func pattern(to **regexp.Regexp, v string) error {
	if v == "" {
		return nil
	}
	re, err := regexp.Compile(v)
	if err != nil {
		return fmt.Errorf("want a regular expression: %w", err)
	}
	*to = re
	return nil
}

func eventData(to *string, v string) error {
	if strings.ContainsAny(v, "\r\n") {
		return errors.New("want one line")
	}
	if v != "break" {
		*to = v
	}
	return nil
}
