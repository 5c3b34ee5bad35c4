package bench

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/aproorg/sluice/internal/bootstrapbin"
	"github.com/aproorg/sluice/internal/image"
)

// Making and pushing an image. The baseline is the same push to a registry that
// has nothing, which is what a builder does that cannot name its layers before
// it has made them. Docker itself cannot run here; what others
// have published of it:
//
//   - kaniko, an image of 5 MB: 126 s, and 125 s with a full cache
//     (https://seankhliao.com/blog/12020-09-29-benchmark-kaniko-go/).
//   - docker buildx on CodeBuild with ECR as its cache: about 2 minutes, 6 without
//     (https://dev.to/aws-builders/how-to-speed-up-aws-codebuild-docker-builds-by-25-or-more-using-ecr-as-a-remote-cache-1a8m).

// BenchmarkImageBootstrapChange pushes an image again after the bootstrap
// changed: aim under 10 MB, whatever the base's size.
func BenchmarkImageBootstrapChange(b *testing.B) {
	o := imageOptions(b, 4, 50<<20)
	store := newBlobs(b)
	o.To = store.host + "/app:v1"
	first := build(b, o)
	b.ResetTimer()
	var again image.Result
	for n := range b.N {
		o.Bootstrap = fmt.Appendf(o.Bootstrap, "build %d", n)
		again = build(b, o)
	}
	b.ReportMetric(float64(again.Sent)/1e6, "MB-sent")
	b.ReportMetric(float64(first.Sent)/1e6, "MB-baseline")
	b.ReportMetric(float64(again.Sent)/float64(first.Sent), "x-baseline")
}

// BenchmarkImageNoChange asks whether there is anything to do.
func BenchmarkImageNoChange(b *testing.B) {
	o := imageOptions(b, 4, 50<<20)
	store := newBlobs(b)
	o.To = store.host + "/app:v1"
	began := time.Now()
	build(b, o)
	first := time.Since(began)
	store.requests = 0
	b.ResetTimer()
	for range b.N {
		if result := build(b, o); !result.Unchanged {
			b.Fatal("something to do")
		}
	}
	took := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(float64(store.requests)/float64(b.N), "requests")
	b.ReportMetric(float64(took)/float64(first), "x-baseline")
}

// BenchmarkImageMemory compares the most heap in use while a base is pushed
// with that for one of ten times its size: flat is 1.
func BenchmarkImageMemory(b *testing.B) {
	for range b.N {
		small := peak(b, imageOptions(b, 4, 10<<20))
		large := peak(b, imageOptions(b, 4, 100<<20))
		b.ReportMetric(float64(small)/1e6, "MB-heap-40MB")
		b.ReportMetric(float64(large)/1e6, "MB-heap-400MB")
		b.ReportMetric(float64(large)/float64(small), "x-baseline")
	}
}

func peak(b *testing.B, o image.Options) (most uint64) {
	o.To = newBlobs(b).host + "/app:v1"
	runtime.GC()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			most = max(most, stats.HeapInuse)
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	build(b, o)
	close(stop)
	<-done
	return most
}

func build(b *testing.B, o image.Options) image.Result {
	b.Helper()
	result, err := image.Build(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	return result
}

// imageOptions has a base of some layers that do not compress, on disk, and the
// real bootstrap.
func imageOptions(b *testing.B, layers int, size int64) image.Options {
	b.Helper()
	bootstrap, err := bootstrapbin.Binary(b.Context(), "amd64")
	if err != nil {
		b.Fatal(err)
	}
	img, err := mutate.ConfigFile(mutate.MediaType(empty.Image, types.DockerManifestSchema2), &v1.ConfigFile{
		OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"}, Config: v1.Config{Cmd: []string{"node"}},
	})
	if err != nil {
		b.Fatal(err)
	}
	for n := range layers {
		if img, err = mutate.AppendLayers(img, newNoise(b, uint64(n), size)); err != nil {
			b.Fatal(err)
		}
	}
	dir := b.TempDir()
	if _, err := layout.Write(dir, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img})); err != nil {
		b.Fatal(err)
	}
	return image.Options{Base: "oci:" + dir, Bootstrap: bytes.Clone(bootstrap)}
}

// noise is a layer with a file of random bytes, the same each time, that no memory holds.
type noise struct {
	seed           uint64
	content        int64
	digest, diffID v1.Hash
	size           int64
}

func newNoise(b *testing.B, seed uint64, content int64) noise {
	b.Helper()
	n := noise{seed: seed, content: content}
	sum := func(open func() (io.ReadCloser, error)) (v1.Hash, int64) {
		reader, err := open()
		if err != nil {
			b.Fatal(err)
		}
		defer reader.Close()
		hash, size, err := v1.SHA256(reader)
		if err != nil {
			b.Fatal(err)
		}
		return hash, size
	}
	n.diffID, _ = sum(n.Uncompressed)
	n.digest, n.size = sum(n.Compressed)
	return n
}

func (n noise) write(to io.Writer) error {
	archive := tar.NewWriter(to)
	if err := archive.WriteHeader(&tar.Header{Name: "noise", Mode: 0o644, Size: n.content}); err != nil {
		return err
	}
	if _, err := io.Copy(archive, io.LimitReader(rand.NewChaCha8([32]byte{byte(n.seed), byte(n.content >> 20)}), n.content)); err != nil {
		return err
	}
	return archive.Close()
}

func (n noise) Uncompressed() (io.ReadCloser, error) {
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(n.write(writer)) }()
	return reader, nil
}

func (n noise) Compressed() (io.ReadCloser, error) {
	reader, writer := io.Pipe()
	go func() {
		zipper, err := gzip.NewWriterLevel(writer, gzip.NoCompression)
		if err == nil {
			err = errors.Join(n.write(zipper), zipper.Close())
		}
		writer.CloseWithError(err)
	}()
	return reader, nil
}

func (n noise) Digest() (v1.Hash, error)            { return n.digest, nil }
func (n noise) DiffID() (v1.Hash, error)            { return n.diffID, nil }
func (n noise) Size() (int64, error)                { return n.size, nil }
func (n noise) MediaType() (types.MediaType, error) { return types.DockerLayer, nil }

// blobs is a registry that remembers which blobs and manifests it got, and keeps
// none: go-containerregistry's own holds them in this process's memory.
type blobs struct {
	host     string
	mu       sync.Mutex
	have     map[string]string // path or digest, and a manifest's digest
	requests int
}

func newBlobs(b *testing.B) *blobs {
	store := &blobs{have: map[string]string{}}
	server := httptest.NewServer(store)
	b.Cleanup(server.Close)
	store.host = strings.TrimPrefix(server.URL, "http://")
	return store
}

func (s *blobs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sum := sha256.New()
	size, err := io.Copy(sum, r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	_, digest, _ := strings.Cut(r.URL.Path, "/blobs/")
	switch {
	case r.URL.Path == "/v2/":
	case r.Method == http.MethodHead && s.have[r.URL.Path] == "" && s.have[digest] == "":
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodHead:
		w.Header().Set("Docker-Content-Digest", s.have[r.URL.Path])
		w.Header().Set("Content-Type", string(types.DockerManifestSchema2))
		w.Header().Set("Content-Length", "1")
	case r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/"):
		s.have[r.URL.Path] = "sha256:" + hex.EncodeToString(sum.Sum(nil))
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodPut:
		s.have[r.URL.Query().Get("digest")] = "blob"
		w.WriteHeader(http.StatusCreated)
	default: // POST and PATCH of an upload
		w.Header().Set("Location", r.URL.Path)
		w.Header().Set("Range", fmt.Sprintf("0-%d", size))
		w.WriteHeader(http.StatusAccepted)
	}
}
