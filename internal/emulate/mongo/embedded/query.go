package embedded

import (
	"context"
	"fmt"
	"net"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/emulate/mongo/wire"
)

// noTransactions is a server's answer that is no member of a replica set. Without
// it, FerretDB takes the first command of a transaction for any other, and an app
// that asks by trial would think that it has them.
var noTransactions = wire.ErrorReply(20, "IllegalOperation", "Transaction numbers are only allowed on a replica set member or mongos")

// transacts reports whether a command belongs to a transaction.
func transacts(cmd wire.Command) bool {
	autocommit, ok := cmd.Doc.Lookup("autocommit").BooleanOK()
	return ok && !autocommit
}

// found are the documents that a query of any kind finds, in order.
func (e *Database) found(ctx context.Context, conn net.Conn, cmd wire.Command, query bson.Raw, sort, collation bson.RawValue) ([]bson.Raw, error) {
	stages := []bson.Raw{}
	if len(wire.Elements(query)) > 0 {
		stages = append(stages, must(bson.Marshal(bson.D{{Key: "$match", Value: query}})))
	}
	if present(sort) {
		stages = append(stages, must(bson.Marshal(bson.D{{Key: "$sort", Value: sort}})))
	}
	asked := bson.D{{Key: "aggregate", Value: cmd.Collection}}
	if present(collation) {
		asked = append(asked, bson.E{Key: "collation", Value: collation})
	}
	doc, err := encode(asked)
	if err != nil {
		return nil, err
	}
	inner := wire.Command{Database: cmd.Database, Collection: cmd.Collection, Doc: doc}
	head, rest := split(inner, stages)
	docs, err := e.head(conn, cmd, head)
	if err != nil || len(rest) == 0 {
		return docs, err
	}
	return e.engine.Aggregate(ctx, docs, rest, e.given(conn, inner))
}

// adaptQuery gives FerretDB the _ids of the documents that a query finds, where it does not know the query itself or
// its collation.
func (e *Database) adaptQuery(ctx context.Context, cmd wire.Command, name string) (Adaptation, error) {
	doc, err := e.byID(ctx, cmd, cmd.Doc, name, cmd.Doc.Lookup("sort"))
	if err != nil || doc == nil {
		return Adaptation{}, err
	}
	return Adaptation{Doc: doc, Sequences: cmd.Sequences}, nil
}

// adaptDelete does the same for each statement of a delete.
func (e *Database) adaptDelete(ctx context.Context, cmd wire.Command) (Adaptation, error) {
	var out bson.A
	changed := false
	for _, d := range cmd.Documents("deletes") {
		doc, err := e.byID(ctx, cmd, d, "q", bson.RawValue{})
		if err != nil {
			return Adaptation{}, err
		}
		if doc != nil {
			d, changed = doc, true
		}
		out = append(out, d)
	}
	if !changed {
		return Adaptation{}, nil
	}
	doc, err := with(cmd.Doc, "deletes", out)
	return Adaptation{Doc: doc}, err
}

// byID is holder with its query named name, and its collation, made into _ids, or nil where FerretDB knows it.
func (e *Database) byID(ctx context.Context, cmd wire.Command, holder bson.Raw, name string, sort bson.RawValue) (bson.Raw, error) {
	query, collation := holder.Lookup(name), holder.Lookup("collation")
	if query.IsZero() || plainQuery(query) && !present(collation) {
		return nil, nil
	}
	if present(collation) && present(sort) {
		return nil, fmt.Errorf("a sort with a collation, of %s", cmd.Name)
	}
	ctx, cancel := bounded(ctx, cmd)
	defer cancel()
	conn, err := e.Dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded database: %w", err)
	}
	defer conn.Close()
	q, _ := query.DocumentOK()
	docs, err := e.found(ctx, conn, cmd, q, bson.RawValue{}, collation)
	if err != nil {
		return nil, err
	}
	ids := make(bson.A, len(docs))
	for i, d := range docs {
		ids[i] = d.Lookup("_id")
	}
	doc, err := with(holder, name, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})
	if err != nil {
		return nil, err
	}
	return without(doc, "collation", "let")
}
