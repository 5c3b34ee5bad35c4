package mongo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// session is one client's connection and its twin to the database.
type session struct {
	server   *Server
	client   net.Conn
	db       *embedded // nil in front of a real server
	upstream net.Conn

	caller func() Caller // once a finding has asked for it; owned by requests

	writing sync.Mutex // orders writes to client

	mu      sync.Mutex // guards what follows
	closed  bool
	app     string
	pending map[int32]func(bson.Raw) (bson.Raw, error) // edits of replies, by request
	writes  map[int32]Write                            // not yet answered, by request
}

// run serves the connection until either side ends it.
func (c *session) run(db *embedded) error {
	defer c.close()
	up, err := c.dial(db)
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
	c.pending = map[int32]func(bson.Raw) (bson.Raw, error){}
	c.mu.Unlock()

	back := make(chan error, 1)
	go func() {
		err := c.replies()
		c.close()
		back <- err
	}()
	err = c.requests()
	c.close()
	c.server.clients.left(c.clientName())
	return errors.Join(ignoreClosed(err), ignoreClosed(<-back))
}

func (c *session) dial(db *embedded) (net.Conn, error) {
	if db != nil {
		conn, err := db.dial(context.Background())
		if err != nil {
			return nil, fmt.Errorf("connect to the embedded database: %w", err)
		}
		return conn, nil
	}
	r := c.server.remote
	conn, err := r.dial(context.Background())
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
func (c *session) requests() error {
	for {
		m, err := readMessage(c.client)
		if err != nil {
			return err
		}
		if err := c.request(m); err != nil {
			return err
		}
	}
}

// request passes one message on, or answers it here.
func (c *session) request(m message) error {
	switch m.opcode {
	case opQuery:
		return c.handshake(m)
	case opMsg:
		return c.command(m)
	}
	return fmt.Errorf("client sent opcode %d, which is not spoken here", m.opcode)
}

// handshake passes a legacy hello on.
func (c *session) handshake(m message) error {
	doc, err := parseQuery(m.body)
	if err != nil {
		return fmt.Errorf("read OP_QUERY: %w", err)
	}
	c.meet(doc)
	edited, err := without(doc, "compression")
	if err != nil {
		return err
	}
	m.body = withQuery(m.body, edited)
	return m.write(c.upstream)
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
		if met := c.server.cfg.Met; met != nil {
			met(name, c.client.RemoteAddr())
		}
	}
}

func (c *session) command(m message) error {
	p, err := parsePayload(m.body)
	if err != nil {
		return fmt.Errorf("read OP_MSG: %w", err)
	}
	cmd := newCommand(p)
	switch cmd.name {
	case "hello", "isMaster", "ismaster":
		c.meet(p.doc)
		if p.doc, err = without(p.doc, "compression"); err != nil {
			return err
		}
		m.body = p.encode()
		return m.write(c.upstream)
	}
	c.await(m, cmd)
	refused := c.server.guard.check(c.clientName(), c.client.RemoteAddr().String(), cmd, c.about)
	if refused != nil && c.server.cfg.Strict {
		return c.answer(m, p, refusal(*refused))
	}
	if c.db == nil {
		return m.write(c.upstream)
	}
	return c.adapt(m, p, cmd)
}

// about tells what the client does now.
func (c *session) about() Caller {
	if c.server.cfg.Caller == nil {
		return Caller{}
	}
	if c.caller == nil {
		c.caller = c.server.cfg.Caller(c.clientName(), c.client.RemoteAddr())
	}
	return c.caller()
}

// adapt passes a command on in the form that FerretDB knows.
func (c *session) adapt(m message, p payload, cmd command) error {
	a, err := c.db.adapt(cmd)
	if err != nil {
		return c.answer(m, p, failure(err))
	}
	if a.reply != nil {
		return c.answer(m, p, a.reply)
	}
	if a.edit != nil {
		c.mu.Lock()
		c.pending[m.requestID] = a.edit
		c.mu.Unlock()
	}
	if a.doc != nil {
		p.doc, p.sequences = a.doc, a.sequences
		m.body = p.encode()
	}
	return m.write(c.upstream)
}

// answer replies in the database's place.
func (c *session) answer(m message, p payload, doc bson.Raw) error {
	if p.flags&flagMoreToCome != 0 {
		return nil // the client does not want to know
	}
	out := message{responseTo: m.requestID, opcode: opMsg, body: payload{doc: doc}.encode()}
	return c.deliver(out)
}

// replies passes on what the database sends.
func (c *session) replies() error {
	for {
		m, err := readMessage(c.upstream)
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

func (c *session) deliver(m message) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.answers(m.responseTo)
	return m.write(c.client)
}

// edited applies the edit that the request asked for.
func (c *session) edited(m message) (message, error) {
	c.mu.Lock()
	edit := c.pending[m.responseTo]
	delete(c.pending, m.responseTo)
	c.mu.Unlock()
	if edit == nil || m.opcode != opMsg {
		return m, nil
	}
	p, err := parsePayload(m.body)
	if err != nil {
		return m, fmt.Errorf("read answer: %w", err)
	}
	if p.doc, err = edit(p.doc); err != nil {
		return m, err
	}
	m.body = p.encode()
	return m, nil
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
