// Package embedded is a MongoDB inside this process: FerretDB 1.24 on SQLite
// files, and what applications on Mongoose need and FerretDB lacks.
//
// It models, where FerretDB does not:
//   - aggregations: FerretDB narrows and orders the documents, and package mingo
//     computes the rest of the pipeline in memory;
//   - queries with $expr and the like, and with a collation;
//   - updates by a pipeline and with positions in arrays ($, $[], $[name]), the
//     `fields` of findAndModify, and that no two writes to a document lose one: writes
//     to a collection take turns;
//   - unique indexes in which a missing field counts as null, sparse and partial ones,
//     kept by SQLite; and TTL indexes, whose documents go once a minute.
//
// It refuses, by their names: transactions, as a server outside of a replica set
// does; what package mingo does not know; values of types that FerretDB lacks
// (Decimal128, MinKey, MaxKey, code), arrays inside arrays, which it cannot store, and
// unique partial indexes whose filter is more than $exists and equality.
//
// It leaves out replica sets, change streams and text search, and indexes for speed:
// only a search by _id is one. It cannot know what Amazon DocumentDB refuses: package
// guard does.
package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/FerretDB/FerretDB/ferretdb"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/emulate/mongo/mingo"
	"github.com/aproorg/sluice/internal/emulate/mongo/wire"
)

// Database is a FerretDB in this process. It is safe for concurrent use.
type Database struct {
	addr string
	dir  string
	stop context.CancelFunc
	done chan error
	next atomic.Int32 // request ids of the shim's own commands

	expiring sync.WaitGroup
	engine   mingo.Engine
	locks    locks
	advice   string // how to have what is missing here
}

// dialTimeout bounds a connection within this process.
const dialTimeout = 10 * time.Second

// opening keeps two databases from being opened at once: FerretDB notes in a
// variable of its package that it is embedded.
var opening sync.Mutex

// Open starts FerretDB on the SQLite files of dir. advice ends the error for what it
// does not know.
func Open(dir, advice string) (*Database, error) {
	opening.Lock()
	defer opening.Unlock()
	uri := url.URL{Scheme: "file", Path: filepath.ToSlash(dir) + "/"}
	db, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: "127.0.0.1:0"},
		Handler:   "sqlite",
		SQLiteURL: uri.String(),
		Logger:    slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, fmt.Errorf("open embedded database in %s: %w", dir, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	e := &Database{dir: dir, advice: advice, stop: stop, done: make(chan error, 1)}
	go func() { e.done <- db.Run(ctx) }()
	e.expiring.Go(func() { e.expireEvery(ctx, expiry) })
	e.addr = strings.TrimSuffix(strings.TrimPrefix(db.MongoDBURI(), "mongodb://"), "/")
	return e, nil
}

// Close stops FerretDB. Its connections must have been closed before, or it
// waits some seconds for them.
func (e *Database) Close() error {
	e.stop()
	e.expiring.Wait()
	return <-e.done
}

// expiry is how often MongoDB looks for documents whose time has come.
const expiry = time.Minute

func (e *Database) expireEvery(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			e.expire(ctx, now) // what fails now is tried again in a minute
		}
	}
}

// Dial opens a connection that speaks MongoDB's wire protocol, without what
// [Database.Adapt] adds.
func (e *Database) Dial(ctx context.Context) (net.Conn, error) {
	d := &net.Dialer{Timeout: dialTimeout}
	return d.DialContext(ctx, "tcp", e.addr)
}

// run sends one command of the shim's own over conn and returns the reply.
func (e *Database) run(conn net.Conn, cmd bson.D) (bson.Raw, error) {
	doc, err := bson.Marshal(cmd)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", cmd[0].Key, err)
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	m := wire.Message{RequestID: e.next.Add(1), Opcode: wire.OpMsg, Body: wire.Payload{Doc: doc}.Encode()}
	if err := m.Write(conn); err != nil {
		return nil, fmt.Errorf("send %s: %w", cmd[0].Key, err)
	}
	answer, err := wire.Read(conn)
	if err != nil {
		return nil, fmt.Errorf("read answer to %s: %w", cmd[0].Key, err)
	}
	p, err := wire.ParsePayload(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("read answer to %s: %w", cmd[0].Key, err)
	}
	if !wire.Truthy(p.Doc.Lookup("ok")) {
		return nil, &commandError{reply: p.Doc}
	}
	return p.Doc, nil
}

// commandError is the database's own refusal, to be passed on as it is.
type commandError struct{ reply bson.Raw }

func (e *commandError) Error() string {
	msg, _ := e.reply.Lookup("errmsg").StringValueOK()
	return msg
}
