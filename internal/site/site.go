// Package site brings a built front end into a bucket behind CloudFront: only
// the files that changed, each with its content type and cache headers, the
// entry page last, so that nobody ever gets a page whose files are not there.
//
// The bucket itself remembers what was put there, in one JSON object below
// [Prefix]: the release. Files of earlier releases stay for a time, because
// open pages still ask for them, and what a release overwrites is kept beside,
// so that Rollback needs no build. Objects that this package did not write are
// never touched.
//
// It knows neither AWS nor any app's build: the bucket and the invalidation
// are small interfaces (see package awsx), the files an fs.FS.
package site

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"time"
)

// Prefix is where the bucket holds what Sluice remembers. It is as public as
// the site, and tells no more than names, sizes and digests of public files.
const Prefix = "_sluice/"

// Index is the entry page. A site without it is refused.
const Index = "index.html"

// Store is a bucket. Its methods are called concurrently. A key that does not
// exist is an error that is fs.ErrNotExist, except in Delete.
type Store interface {
	// Check tells in one request whether the bucket can be used at all.
	Check(ctx context.Context) error
	// List returns all objects.
	List(ctx context.Context) ([]Object, error)
	// Get returns a small object and its ETag.
	Get(ctx context.Context, key string) ([]byte, string, error)
	// Put writes an object and returns its ETag. The store must refuse content
	// that is not SHA256, and a condition that fails with ErrConflict.
	Put(ctx context.Context, put Put) (etag string, err error)
	// Copy copies within the bucket and sets the headers anew.
	Copy(ctx context.Context, from, to string, headers Headers) (etag string, err error)
	// Delete removes any number of objects.
	Delete(ctx context.Context, keys []string) error
}

// ErrConflict says that a condition of a Put did not hold.
var ErrConflict = errors.New("the object was changed meanwhile")

// An Object is one entry of a list.
type Object struct {
	Key  string
	Size int64
	ETag string // without quotes; the content's MD5, unless KMS encrypts the bucket
}

// Headers are stored with an object and sent with it.
type Headers struct {
	ContentType  string `json:"type"`
	CacheControl string `json:"cache"`
}

// Put is one upload.
type Put struct {
	Key     string
	Body    io.ReadSeeker
	Size    int64
	SHA256  string // hexadecimal
	Headers Headers
	// IfMatch asks for the object's present ETag; IfAbsent that there is none.
	IfMatch  string
	IfAbsent bool
}

// Invalidator makes CloudFront forget paths, each starting with a slash. The
// same reference again is the same invalidation.
type Invalidator interface {
	Invalidate(ctx context.Context, reference string, paths []string) (id string, err error)
}

// Options say what goes where. Store is required, Source too, except for
// Rollback, Inspect and Remove.
type Options struct {
	Source fs.FS
	Store  Store
	// Include are patterns of files to publish that are otherwise left out (see
	// LeftOut). One without a slash matches a name at any depth, another one
	// the path from the site's root; both a directory, too, but what is hidden
	// below it needs a pattern of its own. Each part is as in path.Match, and a
	// leading dot must be spelled out.
	Include []string
	// Invalidator is nil for a bucket without a distribution.
	Invalidator Invalidator
	// Keep is how long files of earlier releases stay: 7 days when zero.
	Keep time.Duration
	// MaxAge is for files that are neither immutable nor never stored: 2 days
	// when zero.
	MaxAge time.Duration
	// Jobs is how many requests are under way at once: 16 when zero.
	Jobs int
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Progress, if set, is called from one goroutine at a time.
	Progress func(Event)
	// Log, if set, gets a line of level debug per step.
	Log *slog.Logger
}

// An Event tells how far Apply is, in files.
type Event struct {
	Step  string `json:"step"` // scan, keep, upload, index, invalidate, expire, release
	Text  string `json:"text"`
	Done  int    `json:"done"`
	Total int    `json:"total"`
}

// Result is what Apply, Rollback or Remove did.
type Result struct {
	Release      string   `json:"release"`
	Previous     string   `json:"previous,omitempty"`
	Files        int      `json:"files"`
	Uploaded     int      `json:"uploaded"`
	Bytes        int64    `json:"bytes_uploaded"`
	Unchanged    int      `json:"unchanged"`
	LeftOut      int      `json:"left_out,omitempty"` // files that were not published, but for source maps and compressed copies
	Retired      int      `json:"retired"`
	Expired      int      `json:"expired"`
	Invalidated  []string `json:"invalidated,omitempty"`
	Invalidation string   `json:"invalidation,omitempty"`
	Removed      int      `json:"removed,omitempty"`
}

func (o Options) keep() time.Duration   { return orDefault(o.Keep, 7*24*time.Hour) }
func (o Options) maxAge() time.Duration { return orDefault(o.MaxAge, 48*time.Hour) }
func (o Options) jobs() int             { return orDefault(o.Jobs, 16) }

func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Now().UTC().Truncate(time.Second)
	}
	return o.Now().UTC()
}

func (o Options) progress(event Event) {
	if o.Log != nil {
		o.Log.Debug("site", "step", event.Step, "text", event.Text, "done", event.Done, "total", event.Total)
	}
	if o.Progress != nil {
		o.Progress(event)
	}
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
