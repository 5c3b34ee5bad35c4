package timeline

import "time"

// Request is what became of one request, as its viewer saw it.
type Request struct {
	ID          string
	Method      string
	Path        string
	Start       time.Time
	First       Hop // the hop that the viewer reached
	Last        Hop // the farthest that it passed
	Environment string
	Invocation  string

	Status    int
	FirstByte time.Duration // since Start; 0 if none came
	Total     time.Duration // since Start
	Bytes     int64
	Chunks    int
	// Cold is how long it waited for an environment that was started for it; 0 is
	// a warm one, or none.
	Cold  time.Duration
	Steps []Step // of that start, as far as they were told
	// Restored is how long the restore of its environment from a snapshot took; 0 is none.
	// Where environments are clones it has all of the wait; where they are held, a wait for
	// the start of one is in Cold.
	Restored time.Duration
	Note     string // of the first hop, e.g. "Hit from cloudfront"
	Error    string
	Part     Part // in an upload by way of S3

	reached time.Time    // Lambda
	started *environment // for it
	upload  string
}

// Part is what a request is in an upload: its ticket, a PUT of its body, or the request
// that the body is of. The zero value is no part of one.
type Part struct {
	Number int    // of the upload; the first is 1
	Name   string // UploadTicket, UploadRequest or UploadPut
	// Of the whole upload, with an UploadRequest that was not refused.
	Puts                  int
	Bytes                 int64
	Ticket, Stored, Whole time.Duration // until there was a ticket, then until all was in S3, and altogether
}

// UploadPut is the name of the part that S3 sees.
const UploadPut = "put"

// Step is a part of an environment's start.
type Step struct {
	Name string
	Took time.Duration
}

// Tally follows events and keeps count. The zero value is ready. One goroutine
// may use it at a time.
type Tally struct {
	Requests     int // that have begun
	Failed       int // that ended with 5xx or broke off
	InFlight     int
	ColdStarts   int
	ColdTime     time.Duration
	Restores     int           // of environments from a snapshot
	Billed       time.Duration // of the states that have ended
	open         map[string]*Request
	environments map[string]*environment
	uploads      map[string]*uploaded
	begun        int // uploads
}

// uploaded is what an upload has come to.
type uploaded struct {
	part            Part
	begin, ticketed time.Time
	stored          time.Time
}

// environment is what is known of one that has not ended.
type environment struct {
	state   State
	since   time.Time
	ready   time.Time // zero while in its first init
	used    bool
	restore time.Time // begin of its restore from a snapshot; zero without
	clone   bool      // it has had no init phase
	steps   []Step
	step    time.Time // end of the last one, or begin of the init
}

// Add takes the next event. Where it ends a request, that is returned.
func (t *Tally) Add(e Event) (Request, bool) {
	if t.open == nil {
		t.open, t.environments, t.uploads = map[string]*Request{}, map[string]*environment{}, map[string]*uploaded{}
	}
	switch e.Kind {
	case RequestStart:
		t.begin(e)
	case RequestFirstByte, RequestChunk:
		if r := t.open[e.Request]; r != nil && r.First == e.Hop {
			r.progress(e)
		}
	case Upload:
		t.join(e, e.Note)
	case Invoke:
		t.invoke(e)
	case RequestEnd:
		return t.end(e)
	case EnvironmentState:
		t.move(e)
	case EnvironmentStep:
		if env := t.environments[e.Environment]; env != nil {
			env.stepDone(e)
		}
	}
	return Request{}, false
}

func (t *Tally) begin(e Event) {
	r := t.open[e.Request]
	if r == nil {
		r = &Request{ID: e.Request, Method: e.Method, Path: e.Path, Start: e.Time, First: e.Hop}
		t.open[e.Request] = r
		t.Requests++
		t.InFlight++
	}
	r.Last = e.Hop
	if e.Hop == Lambda {
		r.reached = e.Time
	}
	if e.Upload != "" {
		t.join(e, UploadPut)
	}
}

// keptUploads bounds those that are known: a ticket that was used may come again.
const keptUploads = 1000

// join makes a request part of an upload.
func (t *Tally) join(e Event, name string) {
	r := t.open[e.Request]
	if r == nil {
		return
	}
	u := t.uploads[e.Upload]
	if u == nil {
		if len(t.uploads) == keptUploads {
			clear(t.uploads)
		}
		t.begun++
		u = &uploaded{part: Part{Number: t.begun}, begin: r.Start, ticketed: r.Start, stored: r.Start}
		t.uploads[e.Upload] = u
	}
	r.upload, r.Part = e.Upload, Part{Number: u.part.Number, Name: name}
}

// part is what an upload has come to with the end of one of its requests.
func (t *Tally) part(r *Request, end time.Time) {
	u := t.uploads[r.upload]
	if u == nil {
		return
	}
	switch r.Part.Name {
	case UploadTicket:
		u.ticketed, u.stored = end, end
	case UploadPut:
		u.stored = end
		if r.Status == 200 {
			u.part.Puts++
			u.part.Bytes += r.Bytes
		}
	case UploadRequest:
		if r.Status >= 400 { // refused, which one with the wrong user or used ticket is
			return
		}
		r.Part.Puts, r.Part.Bytes = u.part.Puts, u.part.Bytes
		r.Part.Ticket, r.Part.Stored, r.Part.Whole = u.ticketed.Sub(u.begin), u.stored.Sub(u.ticketed), end.Sub(u.begin)
	}
}

func (r *Request) progress(e Event) {
	if r.FirstByte == 0 {
		r.FirstByte = max(1, e.Time.Sub(r.Start))
	}
	if e.Status != 0 {
		r.Status = e.Status
	}
	if e.Kind == RequestChunk {
		r.Chunks++
		r.Bytes += e.Bytes
	}
}

// invoke gives a request its environment. It was a cold start if the environment
// was not ready as the request came, and served nobody before.
func (t *Tally) invoke(e Event) {
	r := t.open[e.Request]
	if r == nil {
		return
	}
	r.Environment, r.Invocation = e.Environment, e.Invocation
	env := t.environments[e.Environment]
	if env == nil || env.used {
		return
	}
	env.used = true
	until := e.Time
	if !env.restore.IsZero() {
		r.Restored = e.Time.Sub(env.restore)
		t.Restores++
		until = env.restore
	}
	if env.clone {
		if !r.reached.IsZero() {
			r.Restored = e.Time.Sub(r.reached)
		}
		return
	}
	if !r.reached.IsZero() && (env.ready.IsZero() || env.ready.After(r.reached)) {
		r.Cold, r.started = until.Sub(r.reached), env
		t.ColdStarts++
		t.ColdTime += r.Cold
	}
}

func (t *Tally) end(e Event) (Request, bool) {
	r := t.open[e.Request]
	if r == nil || r.First != e.Hop {
		return Request{}, false
	}
	delete(t.open, e.Request)
	t.InFlight--
	r.Total = e.Time.Sub(r.Start)
	r.Note, r.Error = e.Note, e.Error
	if r.started != nil {
		r.Steps = r.started.steps
	}
	if e.Status != 0 {
		r.Status = e.Status
	}
	if e.Bytes > r.Bytes {
		r.Bytes = e.Bytes
	}
	if r.Status >= 500 || r.Error != "" {
		t.Failed++
	}
	t.part(r, e.Time)
	return *r, true
}

func (t *Tally) move(e Event) {
	env := t.environments[e.Environment]
	if env == nil {
		env = &environment{clone: e.State == Restore}
		t.environments[e.Environment] = env
	} else if billed(env.state) {
		t.Billed += e.Time.Sub(env.since)
	}
	if e.State != Init && env.ready.IsZero() {
		env.ready = e.Time
	}
	if e.State == Restore {
		env.restore = e.Time
	}
	if e.State == Init {
		env.steps, env.step = nil, e.Time
	}
	env.state, env.since = e.State, e.Time
	if e.State == Killed {
		delete(t.environments, e.Environment)
	}
}

func (env *environment) stepDone(e Event) {
	took := e.Took
	if took == 0 {
		took = e.Time.Sub(env.step)
	}
	if took < 0 {
		return // told too late
	}
	env.steps, env.step = append(env.steps, Step{e.Note, took}), e.Time
}

// billed tells the states that Lambda charges for; the init phase is one of them
// since August 2025 for every kind of function.
// https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase/
func billed(s State) bool { return s == Init || s == Restore || s == Busy || s == Draining }

// Environments counts those that have not ended by their state.
func (t *Tally) Environments() map[State]int {
	count := map[State]int{}
	for _, env := range t.environments {
		count[env.state]++
	}
	return count
}
