// Package view shows a rehearsal while it runs: for people a line for each request,
// limit and warning and a status line at the bottom of a terminal, for machines the
// same as JSON, and at the end what was found.
//
// It leaves out the page in a browser (timeline/page), and what there is to be seen,
// which package timeline has recorded.
package view

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	apps "github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/timeline"
	"github.com/aproorg/sluice/internal/ui"
)

// View shows a rehearsal as lines for people or as JSON. Call its methods in the order
// of a run: Starting, then Stop if it fails, else Ready, Note, User, Follow, Sum, Ending, Ended.
type View struct {
	// TooLarge is advice for the first request whose body is too large for the path; empty is none.
	TooLarge string
	advised  sync.Once

	terminal *ui.Terminal
	json     *ui.JSON // nil for people
	tally    timeline.Tally
	// Routine says which lines of an environment's output people need not see; nil is none.
	Routine func(environment, line string) bool

	due map[string]bool // lines about late timers that were shown
}

// New returns the view of a rehearsal that p runs.
func New(p *command.Program) *View {
	v := &View{terminal: p.Terminal()}
	if p.JSON {
		v.json = ui.NewJSON(p.Out)
	}
	return v
}

// event is one JSON line. Times are milliseconds.
type event struct {
	Time  time.Time `json:"time"`
	Event string    `json:"event"` // ready, user, request, environment, log, limit, waiting, store, warning, note, finding, end

	Viewer   string   `json:"viewer,omitempty"`
	Timeline string   `json:"timeline,omitempty"`
	Missing  []string `json:"missing,omitempty"` // what this machine cannot rehearse
	Email    string   `json:"email,omitempty"`   // of the rehearsal's user
	Password string   `json:"password,omitempty"`

	Method      string  `json:"method,omitempty"`
	Path        string  `json:"path,omitempty"`
	Status      int     `json:"status,omitempty"`
	Served      string  `json:"served,omitempty"`
	Environment string  `json:"environment,omitempty"`
	State       string  `json:"state,omitempty"`
	FirstByte   float64 `json:"firstByteMs,omitempty"`
	Total       float64 `json:"totalMs,omitempty"`
	Cold        float64 `json:"coldStartMs,omitempty"`
	Steps       []step  `json:"steps,omitempty"` // of the cold start
	Restore     float64 `json:"restoreMs,omitempty"`
	Bytes       int64   `json:"bytes,omitempty"`
	Chunks      int     `json:"chunks,omitempty"`
	Error       string  `json:"error,omitempty"`
	Note        string  `json:"note,omitempty"`
	Upload      *part   `json:"upload,omitempty"` // that the request is a part of

	Snapshot *snapshot `json:"snapshot,omitempty"` // with SnapStart

	Finding *finding `json:"finding,omitempty"`
}

func (v *View) emit(e event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	_ = v.json.Write(e) // a reader that went away ends the program by SIGPIPE
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Starting says what is started, which may take seconds.
func (v *View) Starting(name string) {
	if v.json == nil {
		v.terminal.Status("starting " + ui.Clean(name) + " …")
	}
}

// Waiting says what the start waits for.
func (v *View) Waiting(what string) {
	if v.json == nil {
		v.terminal.Status(ui.Clean(what) + " …")
	}
}

// Stop ends the view of a start that failed; the command reports the error itself.
func (v *View) Stop() { v.terminal.Status("") }

// Failed ends the view of a rehearsal that did not start, with what it came to until then: the
// lines of an app whose version is not published.
func (v *View) Failed(recorder *timeline.Recorder) {
	v.Stop()
	events, _ := recorder.Since(0)
	for _, e := range events {
		v.show(e)
	}
}

// Ready tells where everything is.
func (v *View) Ready(w *rehearse.World, took time.Duration) {
	v.terminal.Status("")
	if v.json != nil {
		v.emit(event{Event: "ready", Viewer: w.ViewerURL, Timeline: w.TimelineURL, Missing: w.Lambda.Missing(), Total: milliseconds(took), Snapshot: newSnapshot(w.Snapshot)})
		return
	}
	t := v.terminal
	t.Line("")
	t.Line("  " + t.Paint(ui.Bold, "app       ") + t.Paint(ui.Blue, w.ViewerURL))
	t.Line("  " + t.Paint(ui.Bold, "timeline  ") + t.Paint(ui.Blue, w.TimelineURL))
	t.Line("")
	if w.Snapshot != nil {
		t.Line("  " + t.Paint(ui.Bold, "snapshot  ") + snapshotLine(*w.Snapshot))
		t.Line("")
		t.Line(t.Paint(ui.Dim, "  ready in "+ui.Duration(took)+"; environments are restored with the first requests; Ctrl-C ends it"))
	} else {
		t.Line(t.Paint(ui.Dim, "  ready in "+ui.Duration(took)+"; environments start with the first requests; Ctrl-C ends it"))
	}
	t.Line("")
}

// User says whom to log in as, where there is a login.
func (v *View) User(u *apps.User) {
	if u == nil {
		return
	}
	if v.json != nil {
		v.emit(event{Event: "user", Email: u.Email, Password: u.Password})
		return
	}
	v.terminal.Line("  " + v.terminal.Paint(ui.Bold, "log in as  ") + u.Email + " / " + u.Password + v.terminal.Paint(ui.Dim, "  (made in the first seconds; or register)"))
	v.terminal.Line("")
}

// Sum shows what the run has shown of the app and its stores.
func (v *View) Sum(p apps.Prepared, environments, concurrency int) {
	if p.Stores != nil {
		v.findings(p.Stores.Mongo.Findings())
	}
	if p.Summary != nil {
		v.Note(p.Summary(environments, concurrency))
	}
}

// Note shows a text that is not empty.
func (v *View) Note(text string) {
	switch {
	case text == "":
	case v.json != nil:
		v.emit(event{Event: "note", Note: text})
	default:
		v.terminal.Line(text)
	}
}

func (v *View) warn(text string) {
	if v.json != nil {
		v.emit(event{Event: "warning", Note: text})
		return
	}
	v.terminal.Line(v.terminal.Paint(ui.Yellow, "  note: ") + text)
}

// Follow shows what happens until ctx is done.
func (v *View) Follow(ctx context.Context, recorder *timeline.Recorder) {
	subscription := recorder.Subscribe(0)
	defer subscription.Close()
	for {
		events, missed, err := subscription.Next(ctx)
		if err != nil {
			return
		}
		if missed > 0 {
			v.warn(fmt.Sprintf("%d events came too fast to be shown", missed))
		}
		for _, e := range events {
			v.show(e)
		}
		v.status()
	}
}

func (v *View) show(e timeline.Event) {
	request, ended := v.tally.Add(e)
	switch {
	case e.Kind == timeline.Notice:
		v.warn(ui.Clean(e.Note))
	case ended && v.json != nil:
		v.emit(requestEvent(request))
	case ended:
		v.terminal.Line(v.requestLine(request))
	case v.json != nil:
		v.emitOther(e)
	default:
		v.showOther(e)
	}
}

func requestEvent(r timeline.Request) event {
	return event{
		Time: r.Start.Add(r.Total), Event: "request", Method: r.Method, Path: r.Path, Status: r.Status, Served: served(r),
		Environment: r.Environment, FirstByte: milliseconds(r.FirstByte), Total: milliseconds(r.Total), Cold: milliseconds(r.Cold), Steps: steps(r), Restore: milliseconds(r.Restored),
		Bytes: r.Bytes, Chunks: r.Chunks, Note: r.Note, Error: r.Error, Upload: newPart(r.Part),
	}
}

// served says in a word or two who answered.
func served(r timeline.Request) string {
	switch {
	case r.Environment != "":
		return r.Environment
	case strings.HasPrefix(r.Note, "Hit"):
		return "edge cache"
	case r.Last == timeline.S3:
		return "s3"
	default:
		return string(r.Last)
	}
}

// requestLine is one request for people.
func (v *View) requestLine(r timeline.Request) string {
	t := v.terminal
	style := ui.Green
	switch {
	case r.Status >= 500 || r.Error != "":
		style = ui.Red
	case r.Status >= 400:
		style = ui.Yellow
	}
	line := t.Paint(ui.Dim, r.Start.Add(r.Total).Format("15:04:05.000")) + "  " + t.Paint(style, fmt.Sprintf("%3d", r.Status)) + "  " +
		ui.Pad(ui.Clean(r.Method), 6) + " " + ui.Pad(ui.Clean(r.Path), 36) + "  " + ui.Pad(served(r), 10)
	first := "–"
	if r.FirstByte > 0 {
		first = ui.Duration(r.FirstByte)
	}
	line += fmt.Sprintf("  first byte %8s  total %8s  %8s", first, ui.Duration(r.Total), ui.Bytes(r.Bytes))
	if r.Chunks > 1 {
		line += fmt.Sprintf(" in %d chunks", r.Chunks)
	}
	if r.Cold > 0 {
		line += t.Paint(ui.Yellow, "  cold start "+ui.Duration(r.Cold)+stepsOf(r))
	}
	if r.Restored > 0 {
		line += t.Paint(ui.Purple, "  restored in "+ui.Duration(r.Restored))
	}
	line += t.Paint(ui.Dim, partOf(r.Part))
	if r.Error != "" {
		line += t.Paint(ui.Red, "  "+ui.Clean(r.Error))
	}
	return line
}

// lambdaLines are the lines that Lambda itself writes into a function's log.
var lambdaLines = regexp.MustCompile(`^(START|END|REPORT|INIT_START|INIT_REPORT|RESTORE_REPORT) |^RESTORE_START$`)

// ansi are the colours that apps give their lines.
var ansi = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// showOther shows what is no request's end: the app's output, limits, stores and
// the ends of environments. One entry of a log can be several lines: Amazon's client
// for Python joins those of a traceback by carriage returns.
func (v *View) showOther(e timeline.Event) {
	t := v.terminal
	switch {
	case e.Kind == timeline.Log && !lambdaLines.MatchString(e.Note):
		line := outputLine(ansi.ReplaceAllString(e.Note, ""))
		if line != "" && !v.again(line) && (v.Routine == nil || !v.Routine(e.Environment, line)) {
			for _, part := range strings.FieldsFunc(line, func(r rune) bool { return r == '\r' || r == '\n' }) {
				t.Line(t.Paint(ui.Dim, ui.Pad(e.Environment, 7)+"│ "+ui.Clean(part)))
			}
		}
	case e.Kind == timeline.Limit:
		t.Line(t.Paint(ui.Yellow, "limit: ") + ui.Clean(cmp.Or(e.Environment, string(e.Hop))+": "+e.Note))
		v.advise(e.Note)
	case e.Kind == timeline.RequestWait:
		t.Line(t.Paint(ui.Yellow, "waiting: ") + ui.Clean(e.Note) + t.Paint(ui.Dim, "; Lambda would start another environment for it"))
	case e.Kind == timeline.Store:
		t.Line(t.Paint(ui.Purple, "store: ") + ui.Clean(e.Note))
	case e.Kind == timeline.EnvironmentState && e.State == timeline.Killed:
		t.Line(t.Paint(ui.Dim, ui.Pad(e.Environment, 7)+"│ ended"+because(e.Note)))
	}
}

// tooLarge is what Lambda and API Gateway say of a body that is too large for them.
var tooLarge = regexp.MustCompile(`^Request must be smaller than|^request body|RequestTooLargeException`)

// advise says once what to do about a body that is too large.
func (v *View) advise(note string) {
	if v.TooLarge != "" && tooLarge.MatchString(note) {
		v.advised.Do(func() { v.terminal.Line("hint:  " + v.TooLarge) })
	}
}

// again is true for a line about a timer that another environment has shown.
func (v *View) again(line string) bool {
	if !strings.HasPrefix(line, bootstrapLine+settings.TimerDue) {
		return false
	}
	if v.due == nil {
		v.due = map[string]bool{}
	}
	shown := v.due[line]
	v.due[line] = true
	return shown
}

func because(note string) string {
	if note == "" {
		return ""
	}
	return ": " + ui.Clean(note)
}

// byFlags names in the bootstrap's advice the flags of up instead of variables.
var byFlags = strings.NewReplacer(
	"set "+settings.ReadyStatusVariable+" to", "set --ready-status to", settings.ReadyPathVariable+"=tcp", "--ready-path tcp",
)

// bootstrapLine begins the bootstrap's own lines.
const bootstrapLine = "bootstrap: "

// outputLine is a line of an environment for people: the app's as it is, the
// bootstrap's as a sentence, and none where that tells of no trouble.
func outputLine(line string) string {
	var own struct {
		Timestamp, Level, Message, Error string
	}
	if !strings.HasPrefix(line, `{"timestamp"`) || json.Unmarshal([]byte(line), &own) != nil || own.Message == "" {
		return line
	}
	if (own.Level == "INFO" || own.Level == "DEBUG") && !strings.HasPrefix(own.Message, settings.NotReady) && !strings.HasPrefix(own.Message, settings.TimerDue) {
		return ""
	}
	if own.Error != "" {
		own.Message += ": " + byFlags.Replace(own.Error)
	}
	return bootstrapLine + own.Message
}

func (v *View) emitOther(e timeline.Event) {
	out := event{Time: e.Time, Environment: e.Environment, Note: e.Note}
	switch e.Kind {
	case timeline.EnvironmentState:
		out.Event, out.State = "environment", string(e.State)
	case timeline.Log:
		out.Event = "log"
	case timeline.Limit:
		out.Event = "limit"
	case timeline.RequestWait:
		out.Event = "waiting"
	case timeline.Store:
		out.Event = "store"
	default:
		return
	}
	v.emit(out)
}

// status is the line at the bottom of a terminal.
func (v *View) status() {
	if v.json != nil || !v.terminal.Interactive() {
		return
	}
	count := v.tally.Environments()
	var states []string
	for _, s := range []timeline.State{timeline.Init, timeline.Restore, timeline.Busy, timeline.Draining, timeline.Frozen} {
		if count[s] > 0 {
			states = append(states, fmt.Sprintf("%d %s", count[s], s))
		}
	}
	v.terminal.Status(v.terminal.Paint(ui.Dim, fmt.Sprintf("environments: %s · %d in flight, %d requests, %d failed · %s · billed %s",
		cmp.Or(strings.Join(states, ", "), "none"), v.tally.InFlight, v.tally.Requests, v.tally.Failed, v.starts(), ui.Duration(v.tally.Billed))))
}

// Ending says that the environments are being shut down, which may take seconds.
func (v *View) Ending() {
	if v.json == nil {
		v.terminal.Status("shutting down the environments …")
	}
}

// Ended sums up the requests.
func (v *View) Ended() {
	v.terminal.Status("")
	if v.json != nil {
		v.emit(event{Event: "end"})
		return
	}
	v.terminal.Line(fmt.Sprintf("ended: %d requests, %d failed, %s", v.tally.Requests, v.tally.Failed, v.starts()))
}

// starts counts what requests waited for.
func (v *View) starts() string {
	cold := fmt.Sprintf("%d cold starts", v.tally.ColdStarts)
	if v.tally.Restores == 0 {
		return cold
	}
	return cold + ", " + counted(v.tally.Restores, "restore")
}
