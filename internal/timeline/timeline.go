// Package timeline is what a rehearsal saw: an ordered record of requests on
// their way through the hops and of environments in their states, kept in
// memory for the page, the terminal and the tests. It leaves out how any of it
// is shown.
package timeline

import "time"

// Hop is a station on the path of a request.
type Hop string

// The hops, in the order a request passes them.
const (
	CloudFront Hop = "cloudfront"
	S3         Hop = "s3"
	APIGateway Hop = "apigateway"
	Lambda     Hop = "lambda"
)

// Kind says what an event tells.
type Kind string

// Kinds of events. The comment names the fields that come with each beside Time. A RequestStart of S3 can have Upload, too.
const (
	RequestStart     Kind = "request.start"      // Request Hop Method Path
	RequestFirstByte Kind = "request.first_byte" // Request Hop Status
	RequestChunk     Kind = "request.chunk"      // Request Hop Bytes: one read that was passed on
	RequestEnd       Kind = "request.end"        // Request Hop Status Bytes(total) Error Note(e.g. "Hit from cloudfront")
	RequestWait      Kind = "request.wait"       // Request Hop Environment Note: it waits for this environment, and why
	Upload           Kind = "upload"             // Request Upload Note(ticket or request): its part in an upload
	Invoke           Kind = "invoke"             // Request Environment Invocation: an environment took the request
	EnvironmentState Kind = "environment.state"  // Environment State Note(reason)
	EnvironmentStep  Kind = "environment.step"   // Environment Note(name) Took: a step of its start is done
	// EnvironmentSnapshot: Environment Took Bytes, and as Note why there is none, where environments are held instead
	EnvironmentSnapshot Kind = "environment.snapshot"
	Notice              Kind = "notice" // Request Environment Note: what the app's preset makes of an answer, with advice
	Log                 Kind = "log"    // Environment Note(line)
	Limit               Kind = "limit"  // Request Environment Hop Note: a limit was hit or enforced
	Store               Kind = "store"  // Note: what a store (Mongo, Redis, …) reports; Environment Request where known
)

// Parts in an upload, as Notes of the kind Upload.
const (
	UploadTicket  = "ticket"
	UploadRequest = "request"
)

// State is the state of an execution environment.
type State string

// States. An environment is billed in Init (beyond the free part), Restore, Busy and Draining.
const (
	Init     State = "init"     // started, the runtime has not asked for an invocation yet
	Restore  State = "restore"  // it comes from a snapshot, and the runtime has not asked for an invocation since
	Busy     State = "busy"     // an invocation is at work, its response has not ended
	Draining State = "draining" // the response has ended, the runtime has not asked for the next
	Frozen   State = "frozen"   // nothing runs
	Shutdown State = "shutdown" // told to end
	Killed   State = "killed"   // ended; the last state
)

// Event is one observation. Which fields are set follows from Kind.
type Event struct {
	Seq  uint64    `json:"seq"` // set by the Recorder, rising by 1
	Time time.Time `json:"time"`
	Kind Kind      `json:"kind"`
	// Took is 0 for a step that began where the one before it ended; those that
	// have it may have run side by side.
	Took time.Duration `json:"took,omitempty"` // nanoseconds

	// Request is the X-Amz-Cf-Id that CloudFront gave the request; a hop that was
	// reached without CloudFront uses an id of its own.
	Request     string `json:"request,omitempty"`
	Hop         Hop    `json:"hop,omitempty"`
	Environment string `json:"environment,omitempty"` // short and stable: env-1, env-2, …
	Invocation  string `json:"invocation,omitempty"`  // Lambda-Runtime-Aws-Request-Id
	State       State  `json:"state,omitempty"`
	// Upload is what the requests of one upload by way of S3 have in common: the object's key.
	Upload string `json:"upload,omitempty"`
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	Status int    `json:"status,omitempty"`
	Bytes  int64  `json:"bytes,omitempty"`
	Note   string `json:"note,omitempty"`
	Error  string `json:"error,omitempty"`
}

// Record takes an event. Emulators call it on the path of a request, so it must
// not block. A nil Record drops events; call it through Emit.
type Record func(Event)

// Emit records e, stamped with now if it has no time.
func (r Record) Emit(e Event) {
	if r == nil {
		return
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	r(e)
}
