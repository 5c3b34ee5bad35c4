package mongo

import (
	"slices"

	"github.com/aproorg/sluice/internal/emulate/mongo/wire"
)

// Write is a command that changes documents, when it is done and its client is
// about to hear of it.
type Write struct {
	App        string // of the client's URI
	Collection string
	Command    []byte // as the client sent it: the body of an OP_MSG, with its documents in BSON
}

var writeCommands = []string{"insert", "update", "delete", "findAndModify", "findandmodify"}

// await remembers a write until it is answered.
func (c *session) await(m wire.Message, cmd wire.Command) {
	if c.server.cfg.Wrote == nil || !slices.Contains(writeCommands, cmd.Name) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writes == nil {
		c.writes = map[int32]Write{}
	}
	c.writes[m.RequestID] = Write{App: c.app, Collection: cmd.Collection, Command: m.Body}
}

// answers reports the write that a message answers, if it answers one, and ends the index build.
func (c *session) answers(request int32) {
	c.mu.Lock()
	w, ok := c.writes[request]
	delete(c.writes, request)
	ended := c.builds[request]
	delete(c.builds, request)
	c.mu.Unlock()
	if ended != nil {
		ended()
	}
	if ok {
		c.server.cfg.Wrote(w)
	}
}
