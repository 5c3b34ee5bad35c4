package cloudfront

import (
	"container/list"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/stack"
)

// maxStored is the largest object that the emulator keeps.
const maxStored = 8 << 20

// entry is a stored response. It is immutable; a revalidation makes a new one.
type entry struct {
	key, path string // path with the query that is part of the key
	policy    stack.CachePolicy
	own       bool // an error page of CloudFront's
	status    int
	header    http.Header
	body      []byte
	stored    time.Time
	age       time.Duration // that it had when it was stored
	ttl       time.Duration
}

func (e *entry) fresh(now time.Time) bool { return now.Sub(e.stored) < e.ttl }

// validators are the conditions to revalidate an entry with; nil if it has none.
func (e *entry) validators() http.Header {
	if e.status >= 400 {
		return nil
	}
	h := http.Header{}
	if v := e.header.Get("Etag"); v != "" {
		h.Set("If-None-Match", v)
	}
	if v := e.header.Get("Last-Modified"); v != "" {
		h.Set("If-Modified-Since", v)
	}
	if len(h) == 0 {
		return nil
	}
	return h
}

// cache is a bounded store; the least recently used entries go first.
type cache struct {
	mu      sync.Mutex
	limit   int64
	size    int64
	order   *list.List // of *entry, most recently used first
	entries map[string]*list.Element
}

func newCache(limit int64) *cache {
	return &cache{limit: limit, order: list.New(), entries: map[string]*list.Element{}}
}

func (c *cache) get(key string) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*entry)
}

func (c *cache) put(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.entries[e.key]; ok {
		c.remove(old)
	}
	c.entries[e.key] = c.order.PushFront(e)
	c.size += e.cost()
	for c.size > c.limit && c.order.Len() > 0 {
		c.remove(c.order.Back())
	}
}

// drop removes e if it is still the one that is stored.
func (c *cache) drop(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.entries[e.key]; ok && at.Value == e {
		c.remove(at)
	}
}

func (c *cache) invalidate(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	prefix, wild := strings.CutSuffix(path, "*")
	for at := c.order.Front(); at != nil; {
		next := at.Next()
		if e := at.Value.(*entry); e.path == path || wild && strings.HasPrefix(e.path, prefix) {
			c.remove(at)
		}
		at = next
	}
}

// remove takes an entry out. The caller holds the lock.
func (c *cache) remove(at *list.Element) {
	e := c.order.Remove(at).(*entry)
	delete(c.entries, e.key)
	c.size -= e.cost()
}

func (e *entry) cost() int64 { return int64(len(e.body)) + 1024 }
