package embedded

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	_ "modernc.org/sqlite" // the driver that FerretDB uses

	"github.com/aproorg/sluice/internal/emulate/mongo/mingo"
	"github.com/aproorg/sluice/internal/emulate/mongo/wire"
)

// indexOptionsDropped are options that FerretDB refuses. What they mean for the data, unique indexes and those that
// make documents expire, is done here; the rest only makes queries faster.
var indexOptionsDropped = []string{
	"partialFilterExpression", "expireAfterSeconds", "hidden", "storageEngine", "weights",
	"default_language", "language_override", "textIndexVersion", "2dsphereIndexVersion", "collation", "v",
}

// catalogTable keeps each index as the client asked for it, in the SQLite file of its database.
const catalogTable = `CREATE TABLE IF NOT EXISTS sluice_indexes (collection TEXT, name TEXT, spec BLOB, PRIMARY KEY (collection, name))`

// sqlite opens a database's file, of which FerretDB has connections too.
func (e *Database) sqlite(database string) (*sql.DB, error) {
	if database == "" || strings.ContainsAny(database, `/\. "$`) {
		return nil, fmt.Errorf("database %q has no file", database)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(e.dir, database+".sqlite"))+"?_pragma=busy_timeout(10000)&mode=rw")
	if err != nil {
		return nil, fmt.Errorf("open the indexes of %s: %w", database, err)
	}
	return db, nil
}

// adaptCreateIndexes has FerretDB make indexes without what it does not know, and then SQLite those that keep fields
// unique as MongoDB does: a missing field counts as null, unless the index is sparse, and a filter narrows it. Indexes
// that are not ordered by their fields (text, 2dsphere) are left out: they only make queries faster.
func (e *Database) adaptCreateIndexes(ctx context.Context, cmd wire.Command) (Adaptation, error) {
	var kept bson.A
	var own []bson.Raw
	for _, d := range cmd.Documents("indexes") {
		if !ordered(d) {
			continue
		}
		own = append(own, d)
		dropped := indexOptionsDropped
		if present(d.Lookup("partialFilterExpression")) {
			dropped = append(slices.Clone(dropped), "unique") // which would be of all documents
		}
		index, err := without(d, dropped...)
		if err != nil {
			return Adaptation{}, err
		}
		kept = append(kept, index)
	}
	if len(kept) == 0 {
		return Adaptation{Reply: okReply}, nil
	}
	doc, err := with(cmd.Doc, "indexes", kept)
	if err != nil {
		return Adaptation{}, err
	}
	conn, err := e.Dial(ctx)
	if err != nil {
		return Adaptation{}, fmt.Errorf("connect to the embedded database: %w", err)
	}
	defer conn.Close()
	var d bson.D
	if err := bson.Unmarshal(doc, &d); err != nil {
		return Adaptation{}, fmt.Errorf("decode createIndexes: %w", err)
	}
	reply, err := e.run(conn, d)
	if err != nil {
		return Adaptation{}, err
	}
	return Adaptation{Reply: reply}, e.index(ctx, conn, cmd, own)
}

// index makes the SQLite indexes of those that FerretDB has made, and notes all. Of one that cannot be made, for
// documents that are there, FerretDB's goes too.
func (e *Database) index(ctx context.Context, conn net.Conn, cmd wire.Command, indexes []bson.Raw) error {
	db, err := e.sqlite(cmd.Database)
	if err != nil {
		return err
	}
	defer db.Close()
	table, err := tableOf(ctx, db, cmd.Collection)
	if err != nil {
		return err
	}
	for _, d := range indexes {
		name, _ := d.Lookup("name").StringValueOK()
		statement, err := uniqueIndex(table, name, d)
		if err == nil && statement != "" {
			_, err = db.ExecContext(ctx, statement)
		}
		if err != nil {
			if _, undo := e.run(conn, bson.D{{Key: "dropIndexes", Value: cmd.Collection}, {Key: "index", Value: name}, {Key: "$db", Value: cmd.Database}}); undo != nil {
				return undo
			}
			if duplicated(err.Error()) {
				return &commandError{reply: wire.ErrorReply(11000, "DuplicateKey", fmt.Sprintf("E11000 duplicate key error collection: %s.%s index: %s", cmd.Database, cmd.Collection, name))}
			}
			return err
		}
		if _, err := db.ExecContext(ctx, `INSERT OR REPLACE INTO sluice_indexes VALUES (?, ?, ?)`, cmd.Collection, name, []byte(d)); err != nil {
			return fmt.Errorf("note index %s: %w", name, err)
		}
	}
	return nil
}

// tableOf is SQLite's table of a collection, as FerretDB 1.24 notes it.
func tableOf(ctx context.Context, db *sql.DB, collection string) (string, error) {
	var table string
	if err := db.QueryRowContext(ctx, `SELECT table_name FROM _ferretdb_collections WHERE name = ?`, collection).Scan(&table); err != nil {
		return "", fmt.Errorf("find the table of %s: %w", collection, err)
	}
	if _, err := db.ExecContext(ctx, catalogTable); err != nil {
		return "", fmt.Errorf("make the table of indexes: %w", err)
	}
	return table, nil
}

// ownIndex is SQLite's name of an index that is made here.
func ownIndex(table, name string) string { return quote(table + "_" + name + "_unique") }

func quote(identifier string) string { return `"` + strings.ReplaceAll(identifier, `"`, `""`) + `"` }

// uniqueIndex is the statement that makes an index, or empty for one that is not unique.
func uniqueIndex(table, name string, d bson.Raw) (string, error) {
	if !wire.Truthy(d.Lookup("unique")) {
		return "", nil
	}
	keys, _ := d.Lookup("key").DocumentOK()
	var columns, there []string
	for _, k := range wire.Elements(keys) {
		at := column(k.Key())
		columns = append(columns, "IFNULL("+at+", 'null')")
		there = append(there, at+" IS NOT NULL")
	}
	var conditions []string
	if wire.Truthy(d.Lookup("sparse")) {
		conditions = append(conditions, "("+strings.Join(there, " OR ")+")")
	}
	filter, _ := d.Lookup("partialFilterExpression").DocumentOK()
	filtered, err := filterConditions(filter)
	if err != nil {
		return "", err
	}
	conditions = append(conditions, filtered...)
	statement := fmt.Sprintf("CREATE UNIQUE INDEX IF NOT EXISTS %s ON %s (%s)", ownIndex(table, name), quote(table), strings.Join(columns, ", "))
	if len(conditions) > 0 {
		statement += " WHERE " + strings.Join(conditions, " AND ")
	}
	return statement, nil
}

// column is the JSON of a field in the form in which FerretDB stores documents.
func column(path string) string {
	at := "$"
	for part := range strings.SplitSeq(path, ".") {
		at += `."` + strings.NewReplacer(`"`, `\"`, `'`, `''`).Replace(part) + `"`
	}
	return "_ferretdb_sjson->'" + at + "'"
}

// filterConditions are those of a partial index in SQL.
func filterConditions(filter bson.Raw) ([]string, error) {
	var out []string
	for _, f := range wire.Elements(filter) {
		if f.Key() == "$and" {
			for _, d := range wire.Documents(f.Value()) {
				part, err := filterConditions(d)
				if err != nil {
					return nil, err
				}
				out = append(out, part...)
			}
			continue
		}
		at, v := column(f.Key()), f.Value()
		if d, ok := v.DocumentOK(); ok {
			if elems := wire.Elements(d); len(elems) == 1 && elems[0].Key() == "$exists" && wire.Truthy(elems[0].Value()) {
				out = append(out, at+" IS NOT NULL")
				continue
			} else if len(elems) == 1 && elems[0].Key() == "$eq" {
				v = elems[0].Value()
			}
		}
		same, ok := sameAs(v)
		if !ok || strings.HasPrefix(f.Key(), "$") {
			return nil, &mingo.Error{Operator: fmt.Sprintf("a unique partial index with %s", f)}
		}
		out = append(out, strings.Replace(at, "->", "->>", 1)+" = "+same)
	}
	return out, nil
}

// sameAs is a plain value in SQL.
func sameAs(v bson.RawValue) (string, bool) {
	switch v.Type {
	case bson.TypeString:
		text, ok := v.StringValueOK()
		return "'" + strings.ReplaceAll(text, "'", "''") + "'", ok
	case bson.TypeBoolean, bson.TypeInt32, bson.TypeInt64:
		n, _ := v.AsInt64OK()
		if v.Type == bson.TypeBoolean && v.Boolean() {
			n = 1
		}
		return fmt.Sprint(n), true
	}
	return "", false
}

// duplicated reports whether an error is that of a unique index.
func duplicated(text string) bool { return strings.Contains(text, "UNIQUE constraint failed") }

// catalog are the indexes that were noted for a database or, if it is not empty, a collection, and that are still there.
func (e *Database) catalog(ctx context.Context, conn net.Conn, database, collection string) (map[string][]bson.Raw, error) {
	db, err := e.sqlite(database)
	if err != nil {
		return nil, nil // nothing was noted
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT collection, spec FROM sluice_indexes WHERE ? IN ('', collection)`, collection)
	if err != nil {
		return nil, nil // nothing was noted
	}
	defer rows.Close()
	noted := map[string][]bson.Raw{}
	for rows.Next() {
		var name string
		var spec []byte
		if err := rows.Scan(&name, &spec); err != nil {
			return nil, fmt.Errorf("read indexes: %w", err)
		}
		noted[name] = append(noted[name], spec)
	}
	return noted, rows.Err()
}

// listed adds to FerretDB's list of indexes what it does not know of them.
func (e *Database) listed(ctx context.Context, cmd wire.Command, reply bson.Raw) (bson.Raw, error) {
	noted, err := e.catalog(ctx, nil, cmd.Database, cmd.Collection)
	if err != nil || len(noted[cmd.Collection]) == 0 {
		return reply, err
	}
	batch, ok := reply.Lookup("cursor").DocumentOK()
	if !ok {
		return reply, nil
	}
	var list bson.A
	for _, d := range wire.Documents(batch.Lookup("firstBatch")) {
		name := d.Lookup("name")
		if i := slices.IndexFunc(noted[cmd.Collection], func(n bson.Raw) bool { return n.Lookup("name").Equal(name) }); i >= 0 {
			if d, err = with(noted[cmd.Collection][i], "v", int32(2)); err != nil {
				return nil, err
			}
		}
		list = append(list, d)
	}
	if batch, err = with(batch, "firstBatch", list); err != nil {
		return nil, err
	}
	return with(reply, "cursor", batch)
}

// forget drops the SQLite indexes of a collection that FerretDB has no more.
func (e *Database) forget(ctx context.Context, cmd wire.Command) error {
	conn, err := e.Dial(ctx)
	if err != nil {
		return fmt.Errorf("connect to the embedded database: %w", err)
	}
	defer conn.Close()
	noted, err := e.catalog(ctx, conn, cmd.Database, cmd.Collection)
	if err != nil || len(noted) == 0 {
		return err
	}
	there, err := e.names(conn, cmd.Database, cmd.Collection)
	if err != nil {
		return err
	}
	db, err := e.sqlite(cmd.Database)
	if err != nil {
		return err
	}
	defer db.Close()
	table, err := tableOf(ctx, db, cmd.Collection)
	if err != nil {
		return err
	}
	for _, d := range noted[cmd.Collection] {
		name, _ := d.Lookup("name").StringValueOK()
		if slices.Contains(there, name) {
			continue
		}
		if _, err := db.ExecContext(ctx, "DROP INDEX IF EXISTS "+ownIndex(table, name)); err != nil {
			return fmt.Errorf("drop index %s: %w", name, err)
		}
		if _, err := db.ExecContext(ctx, `DELETE FROM sluice_indexes WHERE collection = ? AND name = ?`, cmd.Collection, name); err != nil {
			return fmt.Errorf("drop index %s: %w", name, err)
		}
	}
	return nil
}

// names are those of a collection's indexes that FerretDB has.
func (e *Database) names(conn net.Conn, database, collection string) ([]string, error) {
	docs, err := e.all(conn, bson.D{{Key: "listIndexes", Value: collection}, {Key: "$db", Value: database}})
	var names []string
	for _, d := range docs {
		name, _ := d.Lookup("name").StringValueOK()
		names = append(names, name)
	}
	return names, err
}

// expire removes the documents whose time has come by their TTL indexes, as
// https://www.mongodb.com/docs/manual/core/index-ttl/ says.
func (e *Database) expire(ctx context.Context, now time.Time) error {
	files, err := filepath.Glob(filepath.Join(e.dir, "*.sqlite"))
	if err != nil {
		return err
	}
	conn, err := e.Dial(ctx)
	if err != nil {
		return fmt.Errorf("connect to the embedded database: %w", err)
	}
	defer conn.Close()
	for _, file := range files {
		database := strings.TrimSuffix(filepath.Base(file), ".sqlite")
		noted, err := e.catalog(ctx, conn, database, "")
		if err != nil {
			return err
		}
		for collection, indexes := range noted {
			if err := e.expireIn(conn, database, collection, indexes, now); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *Database) expireIn(conn net.Conn, database, collection string, indexes []bson.Raw, now time.Time) error {
	var deletes bson.A
	for _, d := range indexes {
		keys, _ := d.Lookup("key").DocumentOK()
		elems := wire.Elements(keys)
		seconds, ok := d.Lookup("expireAfterSeconds").AsInt64OK()
		if !ok || len(elems) != 1 {
			continue // not TTL
		}
		q := bson.D{{Key: elems[0].Key(), Value: bson.D{{Key: "$lte", Value: now.Add(-time.Duration(seconds) * time.Second)}}}}
		if filter, ok := d.Lookup("partialFilterExpression").DocumentOK(); ok {
			q = bson.D{{Key: "$and", Value: bson.A{q, filter}}}
		}
		name, _ := d.Lookup("name").StringValueOK()
		there, err := e.names(conn, database, collection)
		if err != nil || !slices.Contains(there, name) {
			return nil // the collection is gone, or its index
		}
		deletes = append(deletes, bson.D{{Key: "q", Value: q}, {Key: "limit", Value: int32(0)}})
	}
	if len(deletes) == 0 {
		return nil
	}
	defer e.locks.write(wire.Command{Name: "delete", Database: database, Collection: collection})()
	_, err := e.run(conn, bson.D{{Key: "delete", Value: collection}, {Key: "deletes", Value: deletes}, {Key: "$db", Value: database}})
	return err
}
