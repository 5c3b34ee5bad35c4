package cache

import (
	"bytes"
	"container/list"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/stack"
)

// MaxBody is the largest object that the emulator keeps.
const MaxBody = 8 << 20

// Entry is a stored response. It is immutable; a revalidation makes a new one.
type Entry struct {
	Key, Path string // path with the query that is part of the key
	Policy    stack.CachePolicy
	Own       bool // an error page of CloudFront's
	Status    int
	Header    http.Header
	Body      []byte
	Stored    time.Time
	Age       time.Duration // that it had when it was stored
	TTL       time.Duration
}

// Fresh reports whether the entry may be used without asking its origin.
func (e *Entry) Fresh(now time.Time) bool { return now.Sub(e.Stored) < e.TTL }

// Validators are the conditions to revalidate an entry with; nil if it has none.
func (e *Entry) Validators() http.Header {
	if e.Status >= 400 {
		return nil
	}
	h := http.Header{}
	if v := e.Header.Get("Etag"); v != "" {
		h.Set("If-None-Match", v)
	}
	if v := e.Header.Get("Last-Modified"); v != "" {
		h.Set("If-Modified-Since", v)
	}
	if len(h) == 0 {
		return nil
	}
	return h
}

// Answer is what the entry gives to a request: its status, headers and body; of one
// with status 200 whole, a range of it, or 304.
func (e *Entry) Answer(r *http.Request) (status int, h http.Header, body []byte) {
	h = e.Header.Clone()
	if e.Status != http.StatusOK {
		return e.Status, h, e.Body
	}
	modified, _ := http.ParseTime(e.Header.Get("Last-Modified"))
	out := &capture{header: h}
	h.Del("Content-Length")
	http.ServeContent(out, r, "", modified, bytes.NewReader(e.Body))
	switch out.status {
	case http.StatusOK:
		h.Set("Content-Length", strconv.Itoa(len(e.Body)))
	case http.StatusRequestedRangeNotSatisfiable:
		h.Set("Content-Type", "text/html")
		h.Set("Content-Length", strconv.Itoa(len(unsatisfiable)))
		h.Del("X-Content-Type-Options")
		return out.status, h, []byte(unsatisfiable)
	}
	return out.status, h, out.body.Bytes()
}

// unsatisfiable is in the form that CloudFront's own short answers have, its redirects
// among them. Its guide gives none for 416.
const unsatisfiable = "<html>\r\n<head><title>416 Requested Range Not Satisfiable</title></head>\r\n<body>\r\n" +
	"<center><h1>416 Requested Range Not Satisfiable</h1></center>\r\n<hr><center>CloudFront</center>\r\n</body>\r\n</html>\r\n"

// capture is a response writer in memory.
type capture struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (c *capture) Header() http.Header         { return c.header }
func (c *capture) WriteHeader(status int)      { c.status = status }
func (c *capture) Write(p []byte) (int, error) { return c.body.Write(p) }

// Store is bounded; the least recently used entries go first. It is safe for
// concurrent use.
type Store struct {
	mu      sync.Mutex
	limit   int64
	size    int64
	order   *list.List // of *Entry, most recently used first
	entries map[string]*list.Element
}

// New makes a store of at most limit bytes.
func New(limit int64) *Store {
	return &Store{limit: limit, order: list.New(), entries: map[string]*list.Element{}}
}

// Refresh makes a stored response fresh again after a 304 with the headers h (RFC
// 9111, section 4.3.4), under the policy that it was stored with.
func (c *Store) Refresh(e *Entry, h http.Header, errorTTL time.Duration) *Entry {
	renewed := *e
	renewed.Header = e.Header.Clone()
	for name, values := range h {
		if name != "Content-Length" && name != "Content-Encoding" && name != "Etag" {
			renewed.Header[name] = values
		}
	}
	renewed.Stored, renewed.Age = time.Now(), 0
	ttl, store := FreshFor(e.Policy, errorTTL, e.Status, renewed.Header, renewed.Stored)
	if renewed.TTL = ttl; store {
		c.Put(&renewed)
	} else {
		c.Drop(e)
	}
	return &renewed
}

// Extend keeps an expired response in use for ttl, while its origin fails.
func (c *Store) Extend(e *Entry, ttl time.Duration) *Entry {
	renewed := *e
	renewed.Age += time.Since(e.Stored)
	renewed.Stored, renewed.TTL = time.Now(), ttl
	c.Put(&renewed)
	return &renewed
}

// Len is the number of entries.
func (c *Store) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Len()
}

// Get returns the entry of a key, fresh or not, or nil.
func (c *Store) Get(key string) *Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*Entry)
}

// Put stores an entry in the place of one with the same key.
func (c *Store) Put(e *Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.entries[e.Key]; ok {
		c.remove(old)
	}
	c.entries[e.Key] = c.order.PushFront(e)
	c.size += e.cost()
	for c.size > c.limit && c.order.Len() > 0 {
		c.remove(c.order.Back())
	}
}

// Drop removes e if it is still the one that is stored.
func (c *Store) Drop(e *Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.entries[e.Key]; ok && at.Value == e {
		c.remove(at)
	}
}

// Invalidate removes the entries of a path; a * at its end takes all that begin so.
func (c *Store) Invalidate(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	prefix, wild := strings.CutSuffix(path, "*")
	for at := c.order.Front(); at != nil; {
		next := at.Next()
		if e := at.Value.(*Entry); e.Path == path || wild && strings.HasPrefix(e.Path, prefix) {
			c.remove(at)
		}
		at = next
	}
}

// remove takes an entry out. The caller holds the lock.
func (c *Store) remove(at *list.Element) {
	e := c.order.Remove(at).(*Entry)
	delete(c.entries, e.Key)
	c.size -= e.cost()
}

func (e *Entry) cost() int64 { return int64(len(e.Body)) + 1024 }
