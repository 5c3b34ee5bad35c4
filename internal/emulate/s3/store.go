package s3

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/tempdir"
	"github.com/aproorg/sluice/internal/timeline"
)

// Config of a Store. The zero value works.
type Config struct {
	Dir    string // for large objects; a new temporary directory if empty
	Region string // of all buckets; eu-west-1 if empty
	Record timeline.Record
	Log    *slog.Logger // nil discards
	// PathKeys has the API take BUCKET/KEY for KEY: some apps take a key from the path of an object's URL, which on AWS
	// does not name the bucket, and here does.
	PathKeys bool
	// Now is the clock of signatures and lifecycles; time.Now if nil.
	Now func() time.Time
}

// Store holds buckets and their objects. It is safe for concurrent use.
type Store struct {
	dir     string
	ownsDir bool
	region  string
	record  timeline.Record
	log     *slog.Logger
	doubled bool // Config.PathKeys
	now     func() time.Time

	mu      sync.RWMutex
	buckets map[string]*bucket
	uploads map[string]*upload
	watches map[*watch]struct{}
	changes uint64 // counts objects that were made
	memory  int64  // bytes held in memory
}

type bucket struct {
	created   time.Time
	objects   map[string]*object
	cors      []CORSRule
	lifecycle []LifecycleRule
	swept     time.Time // the day to which the lifecycle is applied
}

// configure changes or reads a bucket under the lock.
func (s *Store) configure(name string, change func(*bucket)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[name]
	if b == nil {
		return errNoBucket
	}
	change(b)
	return nil
}

// New makes a store without buckets.
func New(cfg Config) (*Store, error) {
	s := &Store{dir: cfg.Dir, region: cmp.Or(cfg.Region, "eu-west-1"), record: cfg.Record, log: cfg.Log, doubled: cfg.PathKeys, now: cfg.Now,
		buckets: map[string]*bucket{}, uploads: map[string]*upload{}, watches: map[*watch]struct{}{}}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.dir == "" {
		dir, err := tempdir.Make("objects")
		if err != nil {
			return nil, fmt.Errorf("make object directory: %w", err)
		}
		s.dir, s.ownsDir = dir, true
	}
	return s, nil
}

// Close removes what the store has on disk. The store must not be used after.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ownsDir {
		return os.RemoveAll(s.dir)
	}
	var errs []error
	for _, b := range s.buckets {
		for _, o := range b.objects {
			errs = append(errs, s.discard(o.content))
		}
	}
	for _, u := range s.uploads {
		errs = append(errs, s.discardParts(u))
	}
	s.buckets, s.uploads = map[string]*bucket{}, map[string]*upload{}
	return errors.Join(errs...)
}

// Bucket makes a bucket where there is none.
func (s *Store) Bucket(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[name] == nil {
		s.buckets[name] = &bucket{created: s.now(), objects: map[string]*object{}}
	}
}

// Metadata is what S3 keeps with an object: Content-Type, Cache-Control,
// Content-Encoding, …, and names that begin with X-Amz-Meta-.
type Metadata = http.Header

// PutFS puts every regular file of files into a bucket, the key being its path.
// metadata may be nil; a nil answer leaves the content type to S3's default,
// binary/octet-stream.
func (s *Store) PutFS(bucket string, files fs.FS, metadata func(path string) Metadata) error {
	s.Bucket(bucket)
	return fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		var m Metadata
		if metadata != nil {
			m = metadata(path)
		}
		if err := s.putFile(bucket, path, files, m); err != nil {
			return fmt.Errorf("put %s into bucket %s: %w", path, bucket, err)
		}
		return nil
	})
}

func (s *Store) putFile(bucket, path string, files fs.FS, m Metadata) error {
	f, err := files.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return s.Put(bucket, path, f, m)
}

// Put stores one object, replacing what was there.
func (s *Store) Put(bucket, key string, body io.Reader, m Metadata) error {
	c, err := s.spool(body)
	if err != nil {
		return err
	}
	_, err = s.commit(bucket, key, c, m, nil)
	return err
}

var errNoBucket = errors.New("no such bucket")

// commit makes a spooled content an object, unless check objects to what is there.
func (s *Store) commit(bucketName, key string, c content, m Metadata, check func(*object) error) (*object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[bucketName]
	if b == nil {
		return nil, s.reject(c, errNoBucket)
	}
	old := b.objects[key]
	if check != nil {
		if err := check(old); err != nil {
			return nil, s.reject(c, err)
		}
	}
	m = m.Clone()
	if m == nil {
		m = Metadata{}
	}
	if m.Get("Content-Type") == "" {
		m.Set("Content-Type", "binary/octet-stream")
	}
	s.changes++
	o := &object{content: c, metadata: m, modified: s.now().Truncate(time.Second), change: s.changes}
	b.objects[key] = o
	if old != nil {
		return o, s.discard(old.content)
	}
	return o, nil
}

// reject discards a content and returns why. The caller holds the lock.
func (s *Store) reject(c content, why error) error {
	if err := s.discard(c); err != nil {
		return errors.Join(why, err)
	}
	return why
}

// get opens an object. The reader must be closed; the object stays readable
// through it when it is replaced meanwhile.
func (s *Store) get(bucketName, key string) (*object, io.ReadSeekCloser, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b := s.buckets[bucketName]
	if b == nil {
		return nil, nil, errNoBucket
	}
	o := b.objects[key]
	if o == nil {
		return nil, nil, fs.ErrNotExist
	}
	r, err := o.content.open()
	return o, r, err
}

// remove deletes an object, unless check objects to what is there; that there is none
// is no error of its own.
func (s *Store) remove(bucketName, key string, check func(*object) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[bucketName]
	if b == nil {
		return errNoBucket
	}
	if check != nil {
		if err := check(b.objects[key]); err != nil {
			return err
		}
	}
	return s.delete(b, bucketName, key)
}

// delete is remove for a caller who holds the lock.
func (s *Store) delete(b *bucket, bucketName, key string) error {
	o := b.objects[key]
	if o == nil {
		return nil
	}
	delete(b.objects, key)
	for w := range s.watches {
		if w.bucket == bucketName && w.key == key {
			w.deleted = true
		}
	}
	return s.discard(o.content)
}

// object is immutable once it is in a bucket.
type object struct {
	content
	metadata Metadata
	modified time.Time // to the second, as Last-Modified has it
	change   uint64    // grows with each object that is made
}

// content is bytes in memory or in a file.
type content struct {
	memory []byte
	file   string // empty: in memory
	size   int64
	md5    [md5.Size]byte
	tag    string // entity tag where it is not the MD5
	checksum
}

func (c content) etag() string {
	if c.tag != "" {
		return `"` + c.tag + `"`
	}
	return fmt.Sprintf(`"%x"`, c.md5)
}

const (
	maxInMemory    = 256 << 10 // of one object
	maxTotalMemory = 64 << 20
)

// spool reads a body into memory or, when it is large, into a file. What it reads goes
// to others, too.
func (s *Store) spool(body io.Reader, others ...io.Writer) (content, error) {
	var c content
	sum := md5.New()
	body = io.TeeReader(body, io.MultiWriter(append([]io.Writer{sum}, others...)...))
	head, err := io.ReadAll(io.LimitReader(body, maxInMemory+1))
	if err != nil {
		return c, err
	}
	if len(head) <= maxInMemory && s.reserve(int64(len(head))) {
		c.memory, c.size = head, int64(len(head))
	} else if c.file, c.size, err = s.writeFile(io.MultiReader(bytes.NewReader(head), body)); err != nil {
		return c, err
	}
	sum.Sum(c.md5[:0])
	return c, nil
}

// reserve takes n bytes of the memory budget if they are there.
func (s *Store) reserve(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.memory+n > maxTotalMemory {
		return false
	}
	s.memory += n
	return true
}

func (s *Store) writeFile(body io.Reader) (name string, size int64, err error) {
	f, err := os.CreateTemp(s.dir, "object-")
	if err != nil {
		return "", 0, err
	}
	size, err = io.Copy(f, body)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", 0, errors.Join(err, os.Remove(f.Name()))
	}
	return filepath.Clean(f.Name()), size, nil
}

// discard gives back memory or file. The caller holds the lock.
func (s *Store) discard(c content) error {
	if c.file != "" {
		return os.Remove(c.file)
	}
	s.memory -= int64(len(c.memory))
	return nil
}

func (c content) open() (io.ReadSeekCloser, error) {
	if c.file != "" {
		return os.Open(c.file)
	}
	return memoryReader{bytes.NewReader(c.memory)}, nil
}

type memoryReader struct{ *bytes.Reader }

func (memoryReader) Close() error { return nil }
