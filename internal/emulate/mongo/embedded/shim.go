package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/emulate/mongo/mingo"
	"github.com/aproorg/sluice/internal/emulate/mongo/wire"
)

// Adaptation is how a command reaches FerretDB: not at all, if there is a Reply;
// in another form, if there is a Doc; with Edit, if set, applied to the reply. The
// zero value leaves the command as it is.
type Adaptation struct {
	Reply     bson.Raw
	Doc       bson.Raw
	Sequences []wire.Sequence
	Edit      func(bson.Raw) (bson.Raw, error) // of a reply without an error
	Refused   func(bson.Raw) bson.Raw          // never nil: of a reply with one
	// Done, never nil, is called when the reply has come, or will not come any more.
	Done func()
}

// Adapt turns a command into what FerretDB 1.24 knows. A command that cannot be
// carried out has its error as the reply. ctx bounds what is computed here. A command
// that writes waits for others that write to its collection.
func (e *Database) Adapt(ctx context.Context, cmd wire.Command) Adaptation {
	done := e.locks.write(cmd)
	a, err := e.adapt(ctx, cmd)
	if err != nil {
		a = Adaptation{Reply: e.refusal(cmd, err)}
	}
	a.Done = sync.OnceFunc(done)
	a.Refused = func(reply bson.Raw) bson.Raw { return e.refused(cmd, reply) }
	return a
}

// refused puts FerretDB's errors into MongoDB's terms: an update that would break a unique index, and what FerretDB
// does not have.
func (e *Database) refused(cmd wire.Command, reply bson.Raw) bson.Raw {
	message, _ := reply.Lookup("errmsg").StringValueOK()
	code, _ := reply.Lookup("code").AsInt64OK()
	switch {
	case duplicated(message):
		text := fmt.Sprintf("E11000 duplicate key error collection: %s.%s %s", cmd.Database, cmd.Collection, constraint.FindString(message))
		if cmd.Name != "update" {
			return wire.ErrorReply(11000, "DuplicateKey", text)
		}
		return must(bson.Marshal(bson.D{{Key: "n", Value: int32(0)}, {Key: "nModified", Value: int32(0)}, {Key: "writeErrors", Value: bson.A{
			bson.D{{Key: "index", Value: int32(0)}, {Key: "code", Value: int32(11000)}, {Key: "errmsg", Value: text}}}}, {Key: "ok", Value: 1.0}}))
	case code == 238:
		return wire.ErrorReply(238, "NotImplemented", message+": "+cmp.Or(e.advice, "use a real server"))
	}
	return reply
}

// constraint names an index in SQLite's error.
var constraint = regexp.MustCompile(`index '[^']*'`)

// refusal says why a command cannot be carried out, as MongoDB would where it is the client's fault.
func (e *Database) refusal(cmd wire.Command, err error) bson.Raw {
	var refused *commandError
	var wrong *mingo.Error
	switch {
	case errors.As(err, &refused):
		return refused.reply
	case errors.As(err, &wrong) && wrong.Operator == "":
		return wire.ErrorReply(2, "BadValue", wrong.Message)
	case errors.As(err, &wrong):
		return e.lacks(wrong.Operator)
	case errors.Is(err, context.DeadlineExceeded):
		return wire.ErrorReply(50, "MaxTimeMSExpired", "operation exceeded time limit")
	}
	return wire.ErrorReply(1, "InternalError", fmt.Sprintf("%s in the embedded database: %v", cmd.Name, err))
}

// lacks names what is not known here, and the way out.
func (e *Database) lacks(operator string) bson.Raw {
	return wire.ErrorReply(238, "NotImplemented", fmt.Sprintf("the embedded database does not know %s: %s", operator, cmp.Or(e.advice, "use a real server")))
}

func (e *Database) adapt(ctx context.Context, cmd wire.Command) (Adaptation, error) {
	if transacts(cmd) {
		return Adaptation{Reply: noTransactions}, nil
	}
	if kind := foreignType(cmd); kind != "" {
		return Adaptation{}, &mingo.Error{Operator: "values of type " + kind}
	}
	switch cmd.Name {
	case "update":
		return e.adaptUpdate(ctx, cmd)
	case "findAndModify", "findandmodify":
		return e.adaptFindAndModify(ctx, cmd)
	case "find":
		return e.adaptQuery(ctx, cmd, "filter")
	case "count", "distinct":
		return e.adaptQuery(ctx, cmd, "query")
	case "delete":
		return e.adaptDelete(ctx, cmd)
	case "createIndexes":
		return e.adaptCreateIndexes(ctx, cmd)
	case "listIndexes":
		return Adaptation{Edit: func(reply bson.Raw) (bson.Raw, error) { return e.listed(ctx, cmd, reply) }}, nil
	case "dropIndexes", "deleteIndexes":
		return Adaptation{Edit: func(reply bson.Raw) (bson.Raw, error) { return reply, e.forget(ctx, cmd) }}, nil
	case "aggregate":
		return e.adaptAggregate(ctx, cmd)
	case "endSessions", "killSessions", "refreshSessions":
		return Adaptation{Reply: okReply}, nil // it has none
	}
	return Adaptation{}, nil
}

var okReply = must(bson.Marshal(bson.D{{Key: "ok", Value: 1.0}}))

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // of plain values, which always encode
	}
	return v
}

// ordered reports whether all fields of an index are ordered up or down.
func ordered(index bson.Raw) bool {
	keys, _ := index.Lookup("key").DocumentOK()
	for _, e := range wire.Elements(keys) {
		if _, isNumber := e.Value().AsFloat64OK(); !isNumber || strings.Contains(e.Key(), "$**") {
			return false
		}
	}
	return true
}

// without returns d less some fields, or d itself if it has none of them.
func without(d bson.Raw, names ...string) (bson.Raw, error) {
	var kept bson.D
	found := false
	for _, e := range wire.Elements(d) {
		if slices.Contains(names, e.Key()) {
			found = true
			continue
		}
		kept = append(kept, bson.E{Key: e.Key(), Value: e.Value()})
	}
	if !found {
		return d, nil
	}
	return encode(kept)
}

// with returns d with one field set, in its old place or at the end.
func with(d bson.Raw, name string, value any) (bson.Raw, error) {
	var out bson.D
	found := false
	for _, e := range wire.Elements(d) {
		if e.Key() == name {
			found = true
			out = append(out, bson.E{Key: name, Value: value})
			continue
		}
		out = append(out, bson.E{Key: e.Key(), Value: e.Value()})
	}
	if !found {
		out = append(out, bson.E{Key: name, Value: value})
	}
	return encode(out)
}

func encode(d bson.D) (bson.Raw, error) {
	b, err := bson.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode command: %w", err)
	}
	return b, nil
}
