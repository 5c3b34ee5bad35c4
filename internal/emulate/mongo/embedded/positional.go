package embedded

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/emulate/mongo/mingo"
	"github.com/aproorg/sluice/internal/emulate/mongo/wire"
)

// adaptUpdate gives FerretDB, which does not know the positional operator $, an
// update of each document by its _id with the position in the operator's place.
// https://docs.aws.amazon.com/documentdb/latest/developerguide/mongo-apis.html
// lists the operator as known to DocumentDB.
func (e *Database) adaptUpdate(ctx context.Context, cmd wire.Command) (Adaptation, error) {
	updates := cmd.Documents("updates")
	var out bson.A
	changed := false
	for _, u := range updates {
		field := positional(u.Lookup("u"))
		if field == "" {
			out = append(out, u)
			continue
		}
		changed = true
		each, err := e.positioned(ctx, cmd, u, field)
		if err != nil {
			return Adaptation{}, err
		}
		out = append(out, each...)
	}
	if !changed {
		return Adaptation{}, nil
	}
	if len(out) == 0 {
		return Adaptation{Reply: must(bson.Marshal(bson.D{{Key: "n", Value: int32(0)}, {Key: "nModified", Value: int32(0)}, {Key: "ok", Value: 1.0}}))}, nil
	}
	doc, err := with(cmd.Doc, "updates", out)
	return Adaptation{Doc: doc}, err
}

// positional is the array that an update changes at the matched position, or empty.
func positional(update bson.RawValue) string {
	operators, _ := update.DocumentOK()
	for _, operator := range wire.Elements(operators) {
		fields, _ := operator.Value().DocumentOK()
		for _, f := range wire.Elements(fields) {
			if array, _, ok := strings.Cut(f.Key()+".", ".$."); ok {
				return array
			}
		}
	}
	return ""
}

// positioned is one update for each document that a positional one matches.
func (e *Database) positioned(ctx context.Context, cmd wire.Command, update bson.Raw, field string) (bson.A, error) {
	var spec struct{ Q, U bson.D }
	if err := bson.Unmarshal(update, &spec); err != nil {
		return nil, fmt.Errorf("decode update: %w", err)
	}
	conn, err := e.Dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded database: %w", err)
	}
	defer conn.Close()
	raw, err := e.matching(conn, cmd, spec.Q)
	if err != nil {
		return nil, err
	}
	if !wire.Truthy(update.Lookup("multi")) {
		raw = raw[:min(1, len(raw))]
	}
	query, _ := update.Lookup("q").DocumentOK()
	var out bson.A
	for _, r := range raw {
		at, err := e.engine.Position(ctx, r, query, field)
		if err != nil {
			return nil, err
		}
		if at < 0 {
			return nil, &mingo.Error{Message: "The positional operator did not find the match needed from the query."}
		}
		var d bson.D
		if err := bson.Unmarshal(r, &d); err != nil {
			return nil, fmt.Errorf("decode document: %w", err)
		}
		out = append(out, bson.D{{Key: "q", Value: bson.D{{Key: "_id", Value: get(d, "_id")}}}, {Key: "u", Value: atPosition(spec.U, field, at)}})
	}
	return out, nil
}

func (e *Database) matching(conn net.Conn, cmd wire.Command, query bson.D) ([]bson.Raw, error) {
	if query == nil {
		query = bson.D{}
	}
	return e.all(conn, bson.D{{Key: "find", Value: cmd.Collection}, {Key: "filter", Value: query}, {Key: "$db", Value: cmd.Database}})
}

// atPosition is an update with the position in the operator's place.
func atPosition(update bson.D, field string, at int) bson.D {
	var out bson.D
	for _, operator := range update {
		fields, ok := operator.Value.(bson.D)
		if ok {
			var placed bson.D
			for _, f := range fields {
				if rest, ok := strings.CutPrefix(f.Key, field+".$"); ok {
					f.Key = field + "." + strconv.Itoa(at) + rest
				}
				placed = append(placed, f)
			}
			operator.Value = placed
		}
		out = append(out, operator)
	}
	return out
}

// noTransactions is a server's answer that is no member of a replica set. Without
// it, FerretDB takes the first command of a transaction for any other, and an app
// that asks by trial would think that it has them.
var noTransactions = wire.ErrorReply(20, "IllegalOperation", "Transaction numbers are only allowed on a replica set member or mongos")

// transacts reports whether a command belongs to a transaction.
func transacts(cmd wire.Command) bool {
	autocommit, ok := cmd.Doc.Lookup("autocommit").BooleanOK()
	return ok && !autocommit
}
