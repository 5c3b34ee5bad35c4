package guard

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/emulate/mongo/wire"
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
	// Callers are those whose work had it, in order of first sight; a finding
	// keeps the first 5. It is empty where nobody can say.
	Callers []Caller
}

// Caller is what an app did when it sent a command.
type Caller struct {
	What        string // "POST /api/convos/update", "the app's start"
	Environment string // of the timeline; may be empty
	Request     string // of the timeline; may be empty
}

// maxCallers bounds how often one feature of one command is reported.
const maxCallers = 5

func (f Finding) key() string {
	return strings.Join([]string{f.Client, f.Database, f.Collection, f.Command, f.Feature}, "\x00")
}

func (f Finding) String() string {
	from := ""
	if n := len(f.Callers); n > 0 {
		from = " from " + f.Callers[n-1].What
	}
	return fmt.Sprintf("%s on %s.%s by %s%s: %s %s by DocumentDB 5.0 (%s)",
		f.Command, f.Database, f.Collection, f.Client, from, f.Feature, f.Effect, f.Why)
}

// add notes who had the finding once more, and reports whether that is news.
func (f *Finding) add(c Caller) bool {
	f.Count++
	if c.What == "" || len(f.Callers) >= maxCallers || slices.ContainsFunc(f.Callers, func(o Caller) bool { return o.What == c.What }) {
		return f.Count == 1
	}
	f.Callers = append(f.Callers, c)
	return true
}

// Guard remembers findings. It is safe for concurrent use.
type Guard struct {
	report func(Finding)

	mu       sync.Mutex
	seen     map[string]int // index into findings
	findings []Finding
	building map[string]int // index builds that run, by collection
}

// New makes a guard. report, if not nil, is called for each new finding and for
// each new caller of one, who is its last, from the goroutine that checks.
func New(report func(Finding)) *Guard {
	return &Guard{report: report, seen: map[string]int{}, building: map[string]int{}}
}

// Check records what DocumentDB would make of cmd, and returns the first
// finding that it would refuse. caller is asked only if there is one.
func (g *Guard) Check(client, remote string, cmd wire.Command, caller func() Caller) *Finding {
	var refused *Finding
	findings := inspect(cmd)
	if cmd.Name == "createIndexes" && g.builds(cmd) {
		findings = append(findings, Finding{Feature: parallelBuilds, Path: "createIndexes", Effect: Refused,
			Why: "a collection is limited to a single index build at a time", Page: pageIndexes})
	}
	if len(findings) == 0 {
		return nil
	}
	who := caller()
	for _, f := range findings {
		f.Client, f.Remote = client, remote
		f.Database, f.Collection, f.Command = cmd.Database, cmd.Collection, cmd.Name
		g.record(f, who)
		if f.Effect == Refused && refused == nil {
			refused = &f
		}
	}
	return refused
}

// Build notes that an index build begins, and returns what notes its end. While it runs, DocumentDB refuses another
// one of the same collection.
func (g *Guard) Build(cmd wire.Command) (ended func()) {
	name := cmd.Database + "." + cmd.Collection
	add := func(n int) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.building[name] += n
	}
	add(1)
	return sync.OnceFunc(func() { add(-1) })
}

// builds reports whether an index build of the command's collection runs.
func (g *Guard) builds(cmd wire.Command) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.building[cmd.Database+"."+cmd.Collection] > 0
}

// record keeps a finding, and reports it where it or its caller is new.
func (g *Guard) record(f Finding, who Caller) {
	g.mu.Lock()
	i, known := g.seen[f.key()]
	if !known {
		i = len(g.findings)
		g.seen[f.key()] = i
		g.findings = append(g.findings, f)
	}
	news := g.findings[i].add(who)
	f = g.findings[i].clone()
	g.mu.Unlock()
	if news && g.report != nil {
		g.report(f)
	}
}

func (f Finding) clone() Finding {
	f.Callers = slices.Clone(f.Callers)
	return f
}

// All returns what was found so far, in order of first sight.
func (g *Guard) All() []Finding {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []Finding
	for _, f := range g.findings {
		all = append(all, f.clone())
	}
	return all
}

// Reply is DocumentDB's answer to a command with a refused finding. Code 303 is
// what it gives for most features; retryable writes have their own.
func (f Finding) Reply() bson.Raw {
	code, msg := int32(303), "Feature not supported: "+f.Feature
	switch f.Feature {
	case retryableWrites:
		code, msg = 9, "Unrecognized field: 'txnNumber'"
	case parallelBuilds:
		code, msg = 40333, "Existing index build in progress on the same collection. Collection is limited to a single index build at a time."
	}
	return wire.ErrorReply(code, "CommandNotSupported", msg+" (DocumentDB guard of the rehearsal)")
}
