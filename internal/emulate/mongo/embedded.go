package mongo

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
)

// embedded is a FerretDB in this process.
type embedded struct {
	addr string
	stop context.CancelFunc
	done chan error
	next atomic.Int32 // request ids of the shim's own commands
}

// opening keeps two databases from being opened at once: FerretDB notes in a
// variable of its package that it is embedded.
var opening sync.Mutex

// openEmbedded starts FerretDB on the SQLite files of dir.
func openEmbedded(dir string) (*embedded, error) {
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
	e := &embedded{stop: stop, done: make(chan error, 1)}
	go func() { e.done <- db.Run(ctx) }()
	e.addr = strings.TrimSuffix(strings.TrimPrefix(db.MongoDBURI(), "mongodb://"), "/")
	return e, nil
}

// close stops FerretDB. Its connections must have been closed before, or it
// waits some seconds for them.
func (e *embedded) close() error {
	e.stop()
	return <-e.done
}

func (e *embedded) dial(ctx context.Context) (net.Conn, error) {
	d := &net.Dialer{Timeout: dialTimeout}
	return d.DialContext(ctx, "tcp", e.addr)
}

// run sends one command of the shim's own over conn and returns the reply.
func (e *embedded) run(conn net.Conn, cmd bson.D) (bson.Raw, error) {
	doc, err := bson.Marshal(cmd)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", cmd[0].Key, err)
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	m := message{requestID: e.next.Add(1), opcode: opMsg, body: payload{doc: doc}.encode()}
	if err := m.write(conn); err != nil {
		return nil, fmt.Errorf("send %s: %w", cmd[0].Key, err)
	}
	answer, err := readMessage(conn)
	if err != nil {
		return nil, fmt.Errorf("read answer to %s: %w", cmd[0].Key, err)
	}
	p, err := parsePayload(answer.body)
	if err != nil {
		return nil, fmt.Errorf("read answer to %s: %w", cmd[0].Key, err)
	}
	if !truthy(p.doc.Lookup("ok")) {
		return nil, &commandError{reply: p.doc}
	}
	return p.doc, nil
}

// commandError is the database's own refusal, to be passed on as it is.
type commandError struct{ reply bson.Raw }

func (e *commandError) Error() string {
	msg, _ := e.reply.Lookup("errmsg").StringValueOK()
	return msg
}
