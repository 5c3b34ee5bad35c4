// Package mingo computes what FerretDB cannot: MongoDB's aggregation pipelines and queries over documents in memory.
//
// It runs mingo (npm, MIT licence), MongoDB's query language in plain JavaScript, in goja, with MongoDB's own order,
// equality, paths and conversions in the place of JavaScript's (src, whose comments say where mingo differs). Values
// that JavaScript has no type for pass through as they are, and documents keep the order of their fields.
//
// It refuses $out and $merge, which write, and code of clients ($where, $function, $accumulator). A computation ends
// with its context, or when it takes too much memory.
//
// It leaves out arithmetic with Decimal128, which is refused, and hashes ($toHashedIndexKey). Operators whose results have
// other types than MongoDB's numbers are rare (testdata has the others). It has no indexes: a $lookup reads the whole of
// the other collection once.
package mingo

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/dop251/goja"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
	"golang.org/x/text/collate"
)

//go:generate go run ./gen

//go:embed bundle.js
var script string

var program = sync.OnceValue(func() *goja.Program { return goja.MustCompile("mingo", script, true) })

const (
	maxStack  = 2048
	maxMemory = 128 << 20
	watchTime = 20 * time.Millisecond
)

var errMemory = errors.New("it takes more than 128 MB of memory")

// Error is a pipeline or query that cannot be computed, in MongoDB's terms.
type Error struct {
	Operator string // that is not known here; empty if the operands are at fault
	Message  string
}

func (e *Error) Error() string { return e.Message }

// Given is what a computation may need beside its documents. Its zero value is nothing.
type Given struct {
	Collection func(name string) ([]bson.Raw, error) // for $lookup and its like
	Variables  bson.Raw                              // of the command's let
	Collation  bson.Raw
}

// Engine computes. Its zero value is ready, and safe for concurrent use.
type Engine struct {
	memory uint64    // that the process may grow by during one computation; 0 means maxMemory
	idle   sync.Pool // of *machine
}

// machine is one JavaScript world with mingo in it.
type machine struct {
	vm                            *goja.Runtime
	value, numeric, date, pattern *goja.Object // constructors
	call                          map[string]goja.Callable
}

func newMachine() (*machine, error) {
	vm := goja.New()
	vm.SetMaxCallStackSize(maxStack)
	if _, err := vm.RunProgram(program()); err != nil {
		return nil, fmt.Errorf("load mingo: %w", err)
	}
	exports := vm.Get("mingo").ToObject(vm)
	m := &machine{vm: vm, call: map[string]goja.Callable{}}
	for name, at := range map[string]**goja.Object{"Value": &m.value, "Numeric": &m.numeric} {
		*at = exports.Get(name).ToObject(vm)
	}
	m.date, m.pattern = vm.Get("Date").ToObject(vm), vm.Get("RegExp").ToObject(vm)
	for _, name := range []string{"aggregate", "matching", "position", "zones"} {
		m.call[name], _ = goja.AssertFunction(exports.Get(name))
	}
	if _, err := m.call["zones"](goja.Undefined(), vm.ToValue(offset)); err != nil {
		return nil, fmt.Errorf("load mingo: %w", err)
	}
	return m, nil
}

// Aggregate runs a pipeline over documents.
func (e *Engine) Aggregate(ctx context.Context, docs, pipeline []bson.Raw, given Given) ([]bson.Raw, error) {
	var out []bson.Raw
	err := e.run(ctx, func(m *machine) error {
		stages, err := m.array(pipeline, true)
		if err != nil {
			return err
		}
		result, err := m.compute("aggregate", docs, stages, given)
		if err != nil {
			return err
		}
		return m.each(result, func(v goja.Value) error {
			d, err := m.document(v)
			out = append(out, d)
			return err
		})
	})
	return out, err
}

// Matching lists the indexes of the documents that a query finds.
func (e *Engine) Matching(ctx context.Context, docs []bson.Raw, query bson.Raw, given Given) ([]int, error) {
	var found []int
	err := e.run(ctx, func(m *machine) error {
		q, err := m.object(query, true, 0)
		if err != nil {
			return err
		}
		result, err := m.compute("matching", docs, q, given)
		if err != nil {
			return err
		}
		return m.each(result, func(v goja.Value) error {
			found = append(found, int(v.ToInteger()))
			return nil
		})
	})
	return found, err
}

// Position is that of the first member of the array at path which a query asks for, or -1.
func (e *Engine) Position(ctx context.Context, doc, query bson.Raw, path string) (int, error) {
	at := -1
	err := e.run(ctx, func(m *machine) error {
		d, err := m.object(doc, false, 0)
		if err != nil {
			return err
		}
		q, err := m.object(query, true, 0)
		if err != nil {
			return err
		}
		v, err := m.call["position"](goja.Undefined(), d, q, m.vm.ToValue(path))
		if err == nil {
			at = int(v.ToInteger())
		}
		return err
	})
	return at, err
}

func (m *machine) compute(name string, docs []bson.Raw, what goja.Value, given Given) (goja.Value, error) {
	in, err := m.array(docs, false)
	if err != nil {
		return nil, err
	}
	options := m.vm.NewObject()
	if given.Variables != nil {
		variables, err := m.object(given.Variables, false, 0)
		if err != nil {
			return nil, err
		}
		options.Set("variables", variables)
	}
	if given.Collation != nil {
		c, err := collator(given.Collation)
		if err != nil {
			return nil, err
		}
		if c != nil {
			options.Set("collate", c.CompareString)
			options.Set("collationKey", func(s string) string { return fmt.Sprintf("%x", c.KeyFromString(new(collate.Buffer), s)) })
		}
	}
	if given.Collection != nil {
		options.Set("collection", m.collections(given.Collection))
	}
	return m.call[name](goja.Undefined(), in, what, options)
}

// collections reads each collection once.
func (m *machine) collections(read func(string) ([]bson.Raw, error)) func(name string) (goja.Value, error) {
	known := map[string]goja.Value{}
	return func(name string) (goja.Value, error) {
		if known[name] == nil {
			docs, err := read(name)
			if err != nil {
				return nil, err
			}
			v, err := m.array(docs, false)
			if err != nil {
				return nil, err
			}
			known[name] = v
		}
		return known[name], nil
	}
}

// run gives a computation a machine, and ends it with its context.
func (e *Engine) run(ctx context.Context, f func(*machine) error) error {
	m, _ := e.idle.Get().(*machine)
	if m == nil {
		var err error
		if m, err = newMachine(); err != nil {
			return err
		}
	}
	release := m.watch(ctx, cmp.Or(e.memory, maxMemory))
	err := readable(func() error { return f(m) })
	release()
	var interrupted *goja.InterruptedError
	if errors.As(err, &interrupted) {
		cause, _ := interrupted.Value().(error)
		return cause // and the machine goes, with what it holds
	}
	e.idle.Put(m)
	return inTermsOfMongoDB(err)
}

// readable makes an error of the panics with which the driver meets values that are torn in a document whose frame is whole.
func readable(f func() error) (err error) {
	defer func() {
		switch torn := recover().(type) {
		case nil:
		case bsoncore.InsufficientBytesError:
			err = fmt.Errorf("read a value of a document: %w", torn)
		case bsoncore.ElementTypeError:
			err = fmt.Errorf("read a value of a document: %w", torn)
		default:
			panic(torn)
		}
	}()
	return f()
}

// watch interrupts the machine once the context ends or memory grows too much, until it is released.
func (m *machine) watch(ctx context.Context, memory uint64) (release func()) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	began := heap()
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(watchTime)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ctx.Done():
				m.vm.Interrupt(context.Cause(ctx))
				return
			case <-ticker.C:
				if heap() > began+memory {
					m.vm.Interrupt(errMemory)
					return
				}
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
		m.vm.ClearInterrupt()
	}
}

func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

var (
	lacks    = regexp.MustCompile(`^unregistered operator: (.+)$`)
	unknown  = regexp.MustCompile(`(?i)unregistered|unknown|not registered`)
	operator = regexp.MustCompile(`\$\w+`)
)

// inTermsOfMongoDB makes an exception into an error that says what is at fault.
func inTermsOfMongoDB(err error) error {
	var thrown *goja.Exception
	if !errors.As(err, &thrown) {
		return err
	}
	if cause := thrown.Unwrap(); cause != nil {
		return cause // of our own function
	}
	message := thrown.Value().String()
	if o, ok := thrown.Value().(*goja.Object); ok {
		message = o.Get("message").String()
	}
	e := &Error{Message: message}
	if found := lacks.FindStringSubmatch(message); found != nil {
		e.Operator = found[1]
	} else if unknown.MatchString(message) {
		e.Operator = operator.FindString(message)
	}
	return e
}

var offsets = regexp.MustCompile(`^[+-]\d\d(:?\d\d)?$`)

// offset is that of a time zone at an instant, in milliseconds since 1970: "+02:00".
func offset(zone string, at float64) (string, error) {
	if offsets.MatchString(zone) {
		return zone, nil
	}
	place, err := time.LoadLocation(zone)
	if err != nil || zone == "" || zone == "Local" {
		return "", &Error{Message: fmt.Sprintf("unrecognized time zone identifier: %q", zone)}
	}
	return time.UnixMilli(int64(at)).In(place).Format("-07:00"), nil
}
