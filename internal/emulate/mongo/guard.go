package mongo

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Effect is what DocumentDB does with a feature.
type Effect string

const (
	// Refused: DocumentDB answers with an error.
	Refused Effect = "refused"
	// Differs: DocumentDB answers, but otherwise than MongoDB does.
	Differs Effect = "differs"
	// Unlisted: AWS's page says nothing of it. It is reported, never refused.
	Unlisted Effect = "unlisted"
)

// Finding is one use of a feature that Amazon DocumentDB 5.0 lacks.
type Finding struct {
	Client     string // the app name of the URI, or the driver's name
	Remote     string // address of the connection that had it first
	Database   string
	Collection string
	Command    string // "aggregate"
	Feature    string // "$facet", "update by a pipeline"
	Path       string // where in the command: "pipeline[1].$facet"
	Effect     Effect
	Why        string // one sentence
	Page       string // AWS's page
	Count      int    // commands of this client that had it, as of this value
}

func (f Finding) key() string {
	return strings.Join([]string{f.Client, f.Database, f.Collection, f.Command, f.Feature}, "\x00")
}

func (f Finding) String() string {
	return fmt.Sprintf("%s on %s.%s by %s: %s %s by DocumentDB 5.0 (%s)",
		f.Command, f.Database, f.Collection, f.Client, f.Feature, f.Effect, f.Why)
}

// guard remembers findings. It is safe for concurrent use.
type guard struct {
	report func(Finding)

	mu    sync.Mutex
	seen  map[string]int // index into found
	found []Finding
}

func newGuard(report func(Finding)) *guard {
	return &guard{report: report, seen: map[string]int{}}
}

// check records what DocumentDB would make of cmd, and returns the first
// finding that it would refuse.
func (g *guard) check(client, remote string, cmd command) *Finding {
	var refused *Finding
	for _, f := range inspect(cmd) {
		f.Client, f.Remote = client, remote
		f.Database, f.Collection, f.Command = cmd.database, cmd.collection, cmd.name
		g.record(f)
		if f.Effect == Refused && refused == nil {
			refused = &f
		}
	}
	return refused
}

func (g *guard) record(f Finding) {
	g.mu.Lock()
	i, known := g.seen[f.key()]
	if known {
		g.found[i].Count++
	} else {
		f.Count = 1
		g.seen[f.key()] = len(g.found)
		g.found = append(g.found, f)
	}
	g.mu.Unlock()
	if !known && g.report != nil {
		g.report(f)
	}
}

func (g *guard) all() []Finding {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.found)
}

// refusal is DocumentDB's answer to a command that it does not support. Code
// 303 is what it gives for most features; retryable writes have their own.
func refusal(f Finding) bson.Raw {
	code, msg := int32(303), "Feature not supported: "+f.Feature
	if f.Feature == retryableWrites {
		code, msg = 9, "Unrecognized field: 'txnNumber'"
	}
	return errorReply(code, "CommandNotSupported", msg+" (DocumentDB guard of the rehearsal)")
}

// failure is the answer to a command that the shim could not carry out.
func failure(err error) bson.Raw {
	if refused, ok := err.(*commandError); ok {
		return refused.reply
	}
	return errorReply(238, "NotImplemented", err.Error())
}

func errorReply(code int32, name, msg string) bson.Raw {
	doc, err := bson.Marshal(bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: msg},
		{Key: "code", Value: code}, {Key: "codeName", Value: name}})
	if err != nil {
		panic(err) // plain values always encode
	}
	return doc
}
