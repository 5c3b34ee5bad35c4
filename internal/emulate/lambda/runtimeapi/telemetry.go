package runtimeapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// telemetry delivers what happens in a session to the extensions that have
// subscribed, in batches, while the environment runs: what a frozen extension does
// not take waits for its thaw.
// https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html
type telemetry struct {
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	mu            sync.Mutex
	closed        bool     // no more subscriptions
	early         []report // what a subscription to come has to catch up with
	subscriptions map[string]*subscription
}

// report is an event as it is sent.
// https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
type report struct {
	Time   string `json:"time"`
	Type   string `json:"type"`
	Record any    `json:"record"`
}

// category is platform, function or extension.
func (r report) category() string {
	category, _, _ := strings.Cut(r.Type, ".")
	return category
}

func newTelemetry() *telemetry {
	t := &telemetry{subscriptions: map[string]*subscription{}}
	t.ctx, t.stop = context.WithCancel(context.Background())
	return t
}

// TelemetryTime is how events write a time.
const TelemetryTime = "2006-01-02T15:04:05.000Z"

// Tell delivers an event to the extensions that subscribed to its category: one of the
// platform (platform.start and the like), or a line of a log (function, extension).
func (s *Session) Tell(kind string, record any) {
	t := s.telemetry
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed && len(t.subscriptions) == 0 {
		return
	}
	r := report{time.Now().UTC().Format(TelemetryTime), kind, record}
	for _, to := range t.subscriptions {
		to.add(r)
	}
	if !t.closed && len(t.early) < maxQueue {
		t.early = append(t.early, r)
	}
}

func (t *telemetry) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed, t.early = true, nil
}

// flush sends at once what waits for company.
func (t *telemetry) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, to := range t.subscriptions {
		signal(to.full)
	}
}

// end drops what is not delivered.
func (t *telemetry) end() {
	t.stop()
	t.running.Wait()
}

var (
	errSubscribed = errors.New("the extension has subscribed already")
	errClosed     = errors.New("the init phase is over")
)

func (t *telemetry) subscribe(extension string, to *subscription) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return errClosed
	case t.subscriptions[extension] != nil:
		return errSubscribed
	}
	t.subscriptions[extension] = to
	for _, r := range t.early {
		to.add(r)
	}
	t.running.Go(func() { to.run(t.ctx) })
	return nil
}

// subscriptionRequest is the body of PUT /telemetry. Bounds and defaults are those of
// Amazon's own schema, in the Runtime Interface Emulator.
type subscriptionRequest struct {
	Schema      string   `json:"schemaVersion"`
	Types       []string `json:"types"`
	Destination struct {
		Protocol string `json:"protocol"`
		URI      string `json:"URI"`
	} `json:"destination"`
	Buffering struct {
		Items   *int `json:"maxItems"`
		Bytes   *int `json:"maxBytes"`
		Timeout *int `json:"timeoutMs"`
	} `json:"buffering"`
}

// hosts are the names of the environment itself, which destinations have.
var hosts = []string{"sandbox.localdomain", "sandbox"}

func (r subscriptionRequest) subscription() (*subscription, error) {
	if !slices.Contains([]string{"2022-07-01", "2022-12-13", "2025-01-29"}, r.Schema) {
		return nil, fmt.Errorf("schemaVersion %q is unknown", r.Schema)
	}
	if len(r.Types) == 0 {
		return nil, errors.New("types should not be empty")
	}
	for _, kind := range r.Types {
		if !slices.Contains([]string{"platform", "function", "extension"}, kind) {
			return nil, fmt.Errorf("type %q is unknown", kind)
		}
	}
	if r.Destination.Protocol != "HTTP" {
		return nil, fmt.Errorf("protocol %q is not rehearsed, HTTP is", r.Destination.Protocol)
	}
	to, err := url.Parse(r.Destination.URI)
	if err != nil || to.Scheme != "http" || !slices.Contains(hosts, to.Hostname()) {
		return nil, errors.New("destination.URI host must be " + hosts[0])
	}
	if to.Port() == "" {
		return nil, errors.New("URI port is not provided")
	}
	s := &subscription{types: r.Types, url: to.String(), port: to.Port(), some: make(chan struct{}, 1), full: make(chan struct{}, 1)}
	var timeout int
	for _, n := range []struct {
		name                string
		value               *int
		least, most, normal int
		to                  *int
	}{
		{"maxItems", r.Buffering.Items, 1000, 10_000, 10_000, &s.maxItems},
		{"maxBytes", r.Buffering.Bytes, 256 << 10, 1 << 20, 256 << 10, &s.maxBytes},
		{"timeoutMs", r.Buffering.Timeout, 25, 30_000, 1000, &timeout},
	} {
		*n.to = n.normal
		if n.value == nil {
			continue
		}
		if *n.value < n.least || *n.value > n.most {
			return nil, fmt.Errorf("buffering.%s is %d: from %d to %d", n.name, *n.value, n.least, n.most)
		}
		*n.to = *n.value
	}
	s.timeout = time.Duration(timeout) * time.Millisecond
	return s, nil
}

// subscription is one extension's. Its channels hold one signal each.
type subscription struct {
	types              []string
	url, port          string
	maxItems, maxBytes int
	timeout            time.Duration

	some, full chan struct{} // something waits; it waits no longer

	mu           sync.Mutex
	queue        []json.RawMessage
	bytes        int
	dropped      int
	droppedBytes int
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// maxQueue bounds what waits for an extension that takes nothing.
const maxQueue = 10_000

func (s *subscription) add(r report) {
	if !slices.Contains(s.types, r.category()) {
		return
	}
	b, err := json.Marshal(r)
	if err != nil {
		return // all records are of this package's callers
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == maxQueue {
		s.dropped, s.droppedBytes = s.dropped+1, s.droppedBytes+len(b)
		return
	}
	s.queue, s.bytes = append(s.queue, b), s.bytes+len(b)
	signal(s.some)
	if len(s.queue) >= s.maxItems || s.bytes >= s.maxBytes {
		signal(s.full)
	}
}

func (s *subscription) take() []json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := s.queue
	if s.dropped > 0 {
		b, _ := json.Marshal(report{time.Now().UTC().Format(TelemetryTime), "platform.logsDropped", map[string]any{
			"droppedBytes": s.droppedBytes, "droppedRecords": s.dropped, "reason": "Consumer seems to have fallen behind as it has not acknowledged receipt of logs.",
		}})
		batch = append(batch, b)
	}
	s.queue, s.bytes, s.dropped, s.droppedBytes = nil, 0, 0, 0
	return batch
}

// run sends batch after batch until ctx ends.
func (s *subscription) run(ctx context.Context) {
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:"+s.port)
	}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for {
		select {
		case <-s.some:
		case <-ctx.Done():
			return
		}
		wait(ctx, s.full, s.timeout)
		if batch := s.take(); len(batch) > 0 {
			send(ctx, client, s.url, batch)
		}
	}
}

// wait ends with the signal, the time or ctx.
func wait(ctx context.Context, signal <-chan struct{}, limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-signal:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// attempts are for an extension that subscribes before it listens.
const attempts = 5

func send(ctx context.Context, client *http.Client, to string, batch []json.RawMessage) {
	body, _ := json.Marshal(batch)
	for range attempts {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
		if err != nil {
			return
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
			resp.Body.Close()
			return
		}
		wait(ctx, nil, 100*time.Millisecond)
		if ctx.Err() != nil {
			return
		}
	}
}

// subscribe is PUT /2022-07-01/telemetry.
func (a extensionsAPI) subscribe(w http.ResponseWriter, r *http.Request) {
	s, id := a.identify(w, r)
	if s == nil {
		return
	}
	x := s.extension(w, id, "Unknown extension "+id)
	if x == nil {
		return
	}
	var request subscriptionRequest
	body, err := ReadLimited(r.Body, 64<<10)
	if err == nil {
		err = json.Unmarshal(body, &request)
	}
	var to *subscription
	if err == nil {
		to, err = request.subscription()
	}
	if err != nil {
		answerError(w, http.StatusBadRequest, "ValidationError", "%s", err)
		return
	}
	switch err := s.telemetry.subscribe(x.name, to); {
	case errors.Is(err, errClosed):
		answerError(w, http.StatusForbidden, "Telemetry.SubscriptionClosed", "Telemetry API subscription is closed")
	case err != nil:
		answerError(w, http.StatusInternalServerError, "InternalServerError", "%s", err)
	default:
		s.Tell("platform.telemetrySubscription", map[string]any{"name": x.name, "state": "Subscribed", "types": to.types})
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `"OK"`)
	}
}

// TellExtensions delivers in which state the init phase has left each extension.
func (s *Session) TellExtensions() {
	s.mu.Lock()
	extensions := slices.Collect(maps.Values(s.extensions))
	s.mu.Unlock()
	for _, x := range extensions {
		events := []string{}
		if x.invoke {
			events = append(events, "INVOKE")
		}
		if x.shutdown {
			events = append(events, "SHUTDOWN")
		}
		s.mu.Lock()
		state := x.state
		s.mu.Unlock()
		s.Tell("platform.extension", map[string]any{"name": x.name, "state": state, "events": events})
	}
}
