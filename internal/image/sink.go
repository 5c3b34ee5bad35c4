package image

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"
)

// A sink is where an image goes: a registry or a layout directory.
type sink interface {
	reference() string // by digest
	tag() string       // by name; empty for a layout
	has(context.Context) (bool, error)
	lacks(context.Context) (missing, present int64, err error)
	put(context.Context) (moved, error)
}

// moved counts bytes, compressed.
type moved struct{ sent, mounted, present int64 }

func openSink(ctx context.Context, o Options, img *Image) (sink, error) {
	if dir, ok := strings.CutPrefix(o.To, "oci:"); ok {
		return &directory{dir: dir, img: img, progress: o.progress()}, nil
	}
	if strings.Contains(o.To, "@") {
		return nil, fmt.Errorf("destination %s: a digest cannot be chosen, give a tag or nothing", o.To)
	}
	ref, err := name.NewTag(o.To, name.WithDefaultTag(DefaultTag(img.digest)))
	if err != nil {
		return nil, fmt.Errorf("destination %s: %w", o.To, err)
	}
	return &pushed{ref: ref, img: img, registry: o.Registry, progress: o.progress()}, nil
}

// DefaultTag is the tag of an image for which none was given. An untagged
// image would fall to a lifecycle rule that removes those.
func DefaultTag(digest v1.Hash) string { return "sluice-" + digest.Hex[:12] }

// pushed is an image's place in a registry.
type pushed struct {
	ref      name.Tag
	img      *Image
	registry Registry
	progress func(Event)
}

func (p *pushed) reference() string { return p.ref.Context().Digest(p.img.digest.String()).Name() }
func (p *pushed) tag() string       { return p.ref.Name() }

func (p *pushed) has(ctx context.Context) (bool, error) {
	found, err := remote.Head(p.ref, p.registry.options(ctx, nil)...)
	if isStatus(err, http.StatusNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for image %s: %w", p.tag(), explain(err))
	}
	return found.Digest == p.img.digest, nil
}

func (p *pushed) lacks(ctx context.Context) (missing, present int64, err error) {
	manifest, err := p.img.Manifest()
	if err != nil {
		return 0, 0, err
	}
	blobs := append(slices.Clone(manifest.Layers), manifest.Config)
	exists := make([]bool, len(blobs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(orDefault(p.registry.Jobs, 4))
	for n, blob := range blobs {
		group.Go(func() (err error) {
			exists[n], err = p.hasBlob(ctx, blob.Digest)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return 0, 0, fmt.Errorf("ask %s for layers: %w", p.ref.Context(), explain(err))
	}
	for n, blob := range blobs {
		if exists[n] {
			present += blob.Size
		} else {
			missing += blob.Size
		}
	}
	return missing, present, nil
}

func (p *pushed) hasBlob(ctx context.Context, digest v1.Hash) (bool, error) {
	layer, err := remote.Layer(p.ref.Context().Digest(digest.String()), p.registry.options(ctx, nil)...)
	if err != nil {
		return false, err
	}
	exists, err := partial.Exists(layer)
	if isStatus(err, http.StatusNotFound) {
		return false, nil
	}
	return exists, err
}

func (p *pushed) put(ctx context.Context) (moved, error) {
	meter := &meter{}
	updates := make(chan v1.Update, 64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for update := range updates {
			p.progress(Event{Step: "layers", Text: p.tag(), Done: update.Complete, Total: update.Total})
		}
	}()
	options := append(p.registry.options(ctx, meter), remote.WithProgress(updates))
	err := remote.Write(p.ref, p.img, options...)
	<-done
	moved := p.moved(meter)
	if err != nil {
		return moved, fmt.Errorf("push image %s: %w", p.tag(), explain(err))
	}
	p.progress(Event{Step: "manifest", Text: p.reference()})
	return moved, nil
}

// moved puts sizes to the digests that the meter saw. A blob that was asked for
// again after a broken upload counts once.
func (p *pushed) moved(meter *meter) moved {
	meter.mu.Lock()
	defer meter.mu.Unlock()
	result := moved{sent: meter.sent}
	manifest, err := p.img.Manifest()
	if err != nil {
		return result
	}
	for _, blob := range append(slices.Clone(manifest.Layers), manifest.Config) {
		switch digest := blob.Digest.String(); {
		case slices.Contains(meter.mounted, digest):
			result.mounted += blob.Size
		case slices.Contains(meter.present, digest):
			result.present += blob.Size
		}
	}
	return result
}

// directory is an image's place in an OCI layout. The layout then holds this
// image alone; blobs of earlier ones stay until the directory is removed.
type directory struct {
	dir      string
	img      *Image
	progress func(Event)
}

func (d *directory) reference() string { return "oci:" + d.dir + "@" + d.img.digest.String() }
func (d *directory) tag() string       { return "" }

func (d *directory) has(context.Context) (bool, error) {
	index, err := layout.ImageIndexFromPath(d.dir)
	if err != nil {
		return false, d.checkFree()
	}
	if _, err := child(index, d.img.digest); err != nil {
		return false, nil
	}
	missing, _, err := d.lacks(context.Background())
	return missing == 0, err
}

// checkFree refuses to write among files that are no layout.
func (d *directory) checkFree() error {
	entries, err := os.ReadDir(d.dir)
	if err == nil && len(entries) > 0 {
		return fmt.Errorf("destination %s: the directory is not empty and no OCI layout", d.dir)
	}
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("destination %s: %w", d.dir, err)
	}
	return nil
}

func (d *directory) lacks(context.Context) (missing, present int64, err error) {
	manifest, err := d.img.Manifest()
	if err != nil {
		return 0, 0, err
	}
	for _, blob := range append(slices.Clone(manifest.Layers), manifest.Config) {
		info, err := os.Stat(filepath.Join(d.dir, "blobs", blob.Digest.Algorithm, blob.Digest.Hex))
		switch {
		case err == nil && info.Mode().Type() == fs.FileMode(0) && info.Size() == blob.Size:
			present += blob.Size
		default:
			missing += blob.Size
		}
	}
	return missing, present, nil
}

func (d *directory) put(ctx context.Context) (moved, error) {
	missing, present, err := d.lacks(ctx)
	if err != nil {
		return moved{}, err
	}
	d.progress(Event{Step: "layers", Text: d.dir, Total: missing})
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: d.img, Descriptor: v1.Descriptor{
		Platform: &v1.Platform{OS: "linux", Architecture: d.img.Arch},
	}})
	if _, err := layout.Write(d.dir, index); err != nil {
		return moved{}, fmt.Errorf("write OCI layout %s: %w", d.dir, explain(err))
	}
	d.progress(Event{Step: "manifest", Text: d.reference(), Done: missing, Total: missing})
	return moved{sent: missing, present: present}, nil
}
