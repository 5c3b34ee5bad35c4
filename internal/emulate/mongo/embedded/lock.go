package embedded

import (
	"sync"

	"github.com/aproorg/sluice/internal/emulate/mongo/wire"
)

// locks order the writes to each collection: FerretDB reads, changes and writes back in three steps, in which two
// updates of one document would lose one. Inserts go beside each other. The zero value is ready.
type locks struct {
	mu   sync.Mutex
	each map[string]*sync.RWMutex
}

// write waits until a command may write, and returns what ends its turn. Commands that do not write do not wait.
func (l *locks) write(cmd wire.Command) (done func()) {
	switch cmd.Name {
	case "insert":
		m := l.of(cmd)
		m.RLock()
		return m.RUnlock
	case "update", "delete", "findAndModify", "findandmodify", "createIndexes", "dropIndexes", "deleteIndexes", "drop":
		m := l.of(cmd)
		m.Lock()
		return m.Unlock
	}
	return func() {}
}

func (l *locks) of(cmd wire.Command) *sync.RWMutex {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.each == nil {
		l.each = map[string]*sync.RWMutex{}
	}
	name := cmd.Database + "." + cmd.Collection
	if l.each[name] == nil {
		l.each[name] = new(sync.RWMutex)
	}
	return l.each[name]
}
