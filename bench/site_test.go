package bench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"golang.org/x/sync/errgroup"

	"github.com/aproorg/sluice/internal/awsx"
	"github.com/aproorg/sluice/internal/site"
)

// A site of 2,000 files of which 10 changed, in a bucket 10 ms away. Baselines
// are two plain syncs with as many requests at once: one that lists and
// compares size and time, as `aws s3 sync` does (a build gives every file a new
// time), and one that asks each object for its checksum.

const (
	siteFiles   = 2000
	siteChanged = 10
	siteJobs    = 16
	siteAway    = 10 * time.Millisecond
)

func BenchmarkSite(b *testing.B) {
	bySize := benchSync(b, "sync-by-time", func(ctx context.Context, s *siteBench) error { return s.syncByTime(ctx) })
	bySum := benchSync(b, "sync-by-checksum", func(ctx context.Context, s *siteBench) error { return s.syncBySum(ctx) })
	b.Run("sluice", func(b *testing.B) {
		requests, took := runSite(b, func(ctx context.Context, s *siteBench) error {
			result, err := site.Apply(ctx, s.options)
			if err == nil && result.Uploaded != siteChanged+1 {
				err = fmt.Errorf("uploaded %d", result.Uploaded)
			}
			return err
		})
		b.ReportMetric(float64(requests)/float64(bySize.requests), "x-requests-by-time")
		b.ReportMetric(float64(requests)/float64(bySum.requests), "x-requests-by-checksum")
		b.ReportMetric(float64(took)/float64(bySize.took), "x-time-by-time")
		b.ReportMetric(float64(took)/float64(bySum.took), "x-time-by-checksum")
	})
	b.Run("sluice-nothing-changed", func(b *testing.B) {
		s := newSiteBench(b)
		s.requests.Store(0)
		b.ResetTimer()
		for range b.N {
			if plan, err := site.MakePlan(b.Context(), s.options); err != nil || !plan.Empty() {
				b.Fatalf("%v, %v", plan, err)
			}
		}
		b.ReportMetric(float64(s.requests.Load())/float64(b.N), "requests")
	})
}

type siteRun struct {
	requests int64
	took     time.Duration
}

func benchSync(b *testing.B, name string, sync func(context.Context, *siteBench) error) (run siteRun) {
	b.Run(name, func(b *testing.B) { run.requests, run.took = runSite(b, sync) })
	return run
}

func runSite(b *testing.B, deploy func(context.Context, *siteBench) error) (requests int64, took time.Duration) {
	for range b.N {
		b.StopTimer()
		s := newSiteBench(b)
		s.change()
		s.requests.Store(0)
		b.StartTimer()
		began := time.Now()
		if err := deploy(b.Context(), s); err != nil {
			b.Fatal(err)
		}
		requests, took = requests+s.requests.Load(), took+time.Since(began)
	}
	requests, took = requests/int64(b.N), took/time.Duration(b.N)
	b.ReportMetric(float64(requests), "requests")
	return requests, took
}

// siteBench is a deployed site.
type siteBench struct {
	requests atomic.Int64
	store    *awsx.Bucket
	source   fstest.MapFS
	options  site.Options
}

func newSiteBench(b *testing.B) *siteBench {
	b.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("site"); err != nil {
		b.Fatal(err)
	}
	s := &siteBench{source: fstest.MapFS{"index.html": {Data: []byte("page")}}}
	bucket := gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog()), gofakes3.WithTimeSkewLimit(0)).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		time.Sleep(siteAway) // the way to the region
		bucket.ServeHTTP(w, r)
	}))
	b.Cleanup(server.Close)
	b.Setenv("AWS_ACCESS_KEY_ID", "test")
	b.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	config, err := awsx.Load(b.Context(), awsx.Settings{Region: "eu-west-1", Endpoint: server.URL})
	if err != nil {
		b.Fatal(err)
	}
	s.store = config.Bucket("site", "")
	for n := range siteFiles - 1 {
		s.source[fmt.Sprintf("assets/chunk%04d.A1b2C3d4.js", n)] = &fstest.MapFile{Data: fmt.Appendf(nil, "%020000d", n)}
	}
	s.options = site.Options{Source: s.source, Store: s.store, Jobs: siteJobs}
	if _, err := site.Apply(b.Context(), s.options); err != nil {
		b.Fatal(err)
	}
	return s
}

// change gives 10 files new content, and with it new names.
func (s *siteBench) change() {
	for n := range siteChanged {
		delete(s.source, fmt.Sprintf("assets/chunk%04d.A1b2C3d4.js", n))
		s.source[fmt.Sprintf("assets/chunk%04d.E5f6G7h8.js", n)] = &fstest.MapFile{Data: fmt.Appendf(nil, "%020001d", n)}
	}
	s.source["index.html"] = &fstest.MapFile{Data: []byte("new page")}
}

// syncByTime uploads all, because all files are newer than their objects.
func (s *siteBench) syncByTime(ctx context.Context) error {
	if _, err := s.store.List(ctx); err != nil {
		return err
	}
	return s.each(ctx, func(ctx context.Context, path string) error { return s.put(ctx, path) })
}

// syncBySum asks for each object, and uploads what differs.
func (s *siteBench) syncBySum(ctx context.Context) error {
	objects, err := s.store.List(ctx)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, object := range objects {
		there[object.Key] = true
	}
	return s.each(ctx, func(ctx context.Context, path string) error {
		if there[path] {
			have, _, err := s.store.Get(ctx, path)
			if err != nil || string(have) == string(s.source[path].Data) {
				return err
			}
		}
		return s.put(ctx, path)
	})
}

func (s *siteBench) each(ctx context.Context, work func(context.Context, string) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(siteJobs)
	for path := range s.source {
		group.Go(func() error { return work(ctx, path) })
	}
	return group.Wait()
}

func (s *siteBench) put(ctx context.Context, path string) error {
	content, err := fs.ReadFile(s.source, path)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	body, err := s.source.Open(path)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = s.store.Put(ctx, site.Put{Key: path, Body: body.(seeker), Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])})
	return err
}

type seeker interface {
	Read([]byte) (int, error)
	Seek(int64, int) (int64, error)
}
