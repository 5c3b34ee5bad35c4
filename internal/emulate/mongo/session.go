package mongo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/emulate/mongo/embedded"
	"github.com/aproorg/sluice/internal/emulate/mongo/guard"
	"github.com/aproorg/sluice/internal/emulate/mongo/wire"
)

// session is one client's connection and its twin to the database.
type session struct {
	server   *Server
	client   net.Conn
	db       *embedded.Database // nil in front of a real server
	upstream net.Conn
	cancel   context.CancelFunc // of the context of its requests

	caller func() guard.Caller // once a finding has asked for it; owned by requests

	writing sync.Mutex // orders writes to client

	mu      sync.Mutex // guards what follows
	closed  bool
	app     string
	pending map[int32]embedded.Adaptation // of what has no reply yet, by request
	writes  map[int32]Write               // not yet answered, by request
	builds  map[int32]func()              // of indexes, not yet answered, by request
}

// run serves the connection until either side ends it.
func (c *session) run(ctx context.Context, db *embedded.Database) error {
	defer c.close()
	up, err := c.dial(ctx, db)
	if err != nil {
		return err
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		up.Close()
		return nil
	}
	c.db, c.upstream = db, up
	c.pending, c.builds = map[int32]embedded.Adaptation{}, map[int32]func(){}
	c.mu.Unlock()

	back := make(chan error, 1)
	go func() {
		err := c.replies()
		c.close()
		back <- err
	}()
	err = c.requests(ctx)
	c.close()
	c.server.clients.left(c.clientName())
	c.abandon()
	return errors.Join(ignoreClosed(err), ignoreClosed(<-back))
}

func (c *session) dial(ctx context.Context, db *embedded.Database) (net.Conn, error) {
	if db != nil {
		conn, err := db.Dial(ctx)
		if err != nil {
			return nil, fmt.Errorf("connect to the embedded database: %w", err)
		}
		return conn, nil
	}
	r := c.server.remote
	conn, err := r.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to MongoDB at %s: %w", r.addr, err)
	}
	return conn, nil
}

// close ends both connections. It may be called more than once.
func (c *session) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.cancel()
	c.client.Close()
	if c.upstream != nil {
		c.upstream.Close()
	}
}

func (c *session) clientName() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.app
}

// requests reads what the client sends.
func (c *session) requests(ctx context.Context) error {
	for {
		m, err := wire.Read(c.client)
		if err != nil {
			return err
		}
		if err := c.request(ctx, m); err != nil {
			return err
		}
	}
}

// request passes one message on, or answers it here.
func (c *session) request(ctx context.Context, m wire.Message) error {
	switch m.Opcode {
	case wire.OpQuery:
		return c.handshake(m)
	case wire.OpMsg:
		return c.command(ctx, m)
	}
	return fmt.Errorf("client sent opcode %d, which is not spoken here", m.Opcode)
}

// handshake passes a legacy hello on.
func (c *session) handshake(m wire.Message) error {
	doc, err := wire.ParseQuery(m.Body)
	if err != nil {
		return fmt.Errorf("read OP_QUERY: %w", err)
	}
	c.meet(doc)
	edited, err := uncompressed(doc)
	if err != nil {
		return err
	}
	m.Body = wire.WithQuery(m.Body, edited)
	return m.Write(c.upstream)
}

// uncompressed is a hello that offers no compression, which is not spoken here.
func uncompressed(hello bson.Raw) (bson.Raw, error) {
	if _, err := hello.LookupErr("compression"); err != nil {
		return hello, nil // offers none
	}
	var kept bson.D
	for _, e := range wire.Elements(hello) {
		if e.Key() != "compression" {
			kept = append(kept, bson.E{Key: e.Key(), Value: e.Value()})
		}
	}
	return bson.Marshal(kept)
}

// meet learns the client's name from its hello.
func (c *session) meet(hello bson.Raw) {
	if _, err := hello.LookupErr("client"); err != nil {
		return // the first hello only has it
	}
	name, _ := hello.Lookup("client", "application", "name").StringValueOK()
	if name == "" {
		name, _ = hello.Lookup("client", "driver", "name").StringValueOK()
	}
	if name == "" {
		name = "unnamed"
	}
	c.mu.Lock()
	known := c.app != ""
	if !known {
		c.app = name
	}
	c.mu.Unlock()
	if !known {
		c.server.clients.joined(name)
		if connected := c.server.cfg.Connected; connected != nil {
			connected(name, c.client.RemoteAddr())
		}
	}
}

func (c *session) command(ctx context.Context, m wire.Message) error {
	p, err := wire.ParsePayload(m.Body)
	if err != nil {
		return fmt.Errorf("read OP_MSG: %w", err)
	}
	cmd := wire.NewCommand(p)
	switch cmd.Name {
	case "hello", "isMaster", "ismaster":
		c.meet(p.Doc)
		if p.Doc, err = uncompressed(p.Doc); err != nil {
			return err
		}
		m.Body = p.Encode()
		return m.Write(c.upstream)
	}
	c.server.clients.asked(c.clientName())
	c.await(m, cmd)
	refused := c.server.guard.Check(c.clientName(), c.client.RemoteAddr().String(), cmd, c.about)
	if refused != nil && c.server.cfg.Strict {
		return c.answer(m, p, refused.Reply())
	}
	if cmd.Name == "createIndexes" {
		ended := c.server.guard.Build(cmd)
		c.mu.Lock()
		c.builds[m.RequestID] = ended
		c.mu.Unlock()
	}
	if c.db == nil {
		return m.Write(c.upstream)
	}
	return c.adapt(ctx, m, p, cmd)
}

// about tells what the client does now.
func (c *session) about() guard.Caller {
	if c.server.cfg.Caller == nil {
		return guard.Caller{}
	}
	if c.caller == nil {
		c.caller = c.server.cfg.Caller(c.clientName(), c.client.RemoteAddr())
	}
	return c.caller()
}

// adapt passes a command on in the form that FerretDB knows.
func (c *session) adapt(ctx context.Context, m wire.Message, p wire.Payload, cmd wire.Command) error {
	a := c.db.Adapt(ctx, cmd)
	if a.Reply != nil {
		a.Done()
		return c.answer(m, p, a.Reply)
	}
	if p.MoreToCome() {
		defer a.Done() // there is no reply
	} else {
		c.mu.Lock()
		c.pending[m.RequestID] = a
		c.mu.Unlock()
	}
	if a.Doc != nil {
		p.Doc, p.Sequences = a.Doc, a.Sequences
		m.Body = p.Encode()
	}
	return m.Write(c.upstream)
}

// answer replies in the database's place.
func (c *session) answer(m wire.Message, p wire.Payload, doc bson.Raw) error {
	if p.MoreToCome() {
		return nil // the client does not want to know
	}
	out := wire.Message{ResponseTo: m.RequestID, Opcode: wire.OpMsg, Body: wire.Payload{Doc: doc}.Encode()}
	return c.deliver(out)
}

// replies passes on what the database sends.
func (c *session) replies() error {
	for {
		m, err := wire.Read(c.upstream)
		if err != nil {
			return err
		}
		if m, err = c.edited(m); err != nil {
			return err
		}
		if err := c.deliver(m); err != nil {
			return err
		}
	}
}

func (c *session) deliver(m wire.Message) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.answers(m.ResponseTo)
	return m.Write(c.client)
}

// edited applies the edit that the request asked for.
func (c *session) edited(m wire.Message) (wire.Message, error) {
	c.mu.Lock()
	a, ok := c.pending[m.ResponseTo]
	delete(c.pending, m.ResponseTo)
	c.mu.Unlock()
	if !ok {
		return m, nil
	}
	defer a.Done()
	failed := refused(m)
	if m.Opcode != wire.OpMsg || a.Edit == nil && !failed {
		return m, nil
	}
	p, err := wire.ParsePayload(m.Body)
	if err != nil {
		return m, fmt.Errorf("read answer: %w", err)
	}
	if failed {
		p.Doc = a.Refused(p.Doc)
	} else if p.Doc, err = a.Edit(p.Doc); err != nil {
		return m, err
	}
	m.Body = p.Encode()
	return m, nil
}

// refused reports whether an answer is an error, without a look at the documents in it.
func refused(m wire.Message) bool {
	const before = 4 + 1 // flags, and the kind of the section
	if len(m.Body) < before {
		return false
	}
	ok, err := bson.Raw(m.Body[before:]).LookupErr("ok")
	return err == nil && !wire.Truthy(ok)
}

// abandon gives up what has no reply, and lets others write.
func (c *session) abandon() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.pending {
		a.Done()
	}
	c.pending = nil
	for _, ended := range c.builds {
		ended()
	}
}

func ignoreClosed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "read" {
		return nil // reset by a client that was killed
	}
	return err
}
