package mongo

import (
	"slices"
	"strings"
	"sync"
)

// Client counts the connections of one app name.
type Client struct {
	App   string
	Open  int // now
	Peak  int // at once
	Total int // ever

	Commands int // received, without hellos
}

// clientTable is safe for concurrent use. Its zero value is ready.
type clientTable struct {
	mu   sync.Mutex
	apps map[string]*Client
}

func (t *clientTable) joined(app string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.apps == nil {
		t.apps = map[string]*Client{}
	}
	c := t.apps[app]
	if c == nil {
		c = &Client{App: app}
		t.apps[app] = c
	}
	c.Open++
	c.Total++
	c.Peak = max(c.Peak, c.Open)
}

func (t *clientTable) asked(app string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.apps[app]; c != nil {
		c.Commands++
	}
}

// left undoes joined. It ignores connections that never said hello.
func (t *clientTable) left(app string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.apps[app]; c != nil {
		c.Open--
	}
}

func (t *clientTable) all() []Client {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []Client
	for _, c := range t.apps {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b Client) int { return strings.Compare(a.App, b.App) })
	return all
}
