package image

import (
	"context"
	"errors"
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

	"github.com/aproorg/sluice/internal/image/registry"
	"github.com/aproorg/sluice/internal/image/source"
)

// A sink is where an image goes: a registry or a layout directory.
type sink interface {
	reference() string // by digest
	tag() string       // by name; empty for a layout
	has(context.Context) (bool, error)
	lacks(context.Context) (missing []v1.Descriptor, present int64, err error)
	put(context.Context) (transfer, error)
}

// transfer counts bytes, compressed.
type transfer struct{ sent, mounted, present int64 }

func openSink(ctx context.Context, o Options, img *Image) (sink, error) {
	if dir, ok := strings.CutPrefix(o.To, "oci:"); ok {
		return &layoutSink{dir: dir, img: img, progress: o.progress()}, nil
	}
	if strings.Contains(o.To, "@") {
		return nil, fmt.Errorf("destination %s: a digest cannot be chosen, give a tag or nothing", o.To)
	}
	ref, err := name.NewTag(o.To, name.WithDefaultTag(DefaultTag(img.digest)))
	if err != nil {
		return nil, fmt.Errorf("destination %s: %w", o.To, err)
	}
	return &registrySink{ref: ref, img: img, access: o.Registry, progress: o.progress()}, nil
}

// DefaultTag is the tag of an image for which none was given. An untagged
// image would fall to a lifecycle rule that removes those.
func DefaultTag(digest v1.Hash) string { return "sluice-" + digest.Hex[:12] }

// registrySink is an image's place in a registry.
type registrySink struct {
	ref      name.Tag
	img      *Image
	access   registry.Access
	progress func(Event)
}

func (p *registrySink) reference() string {
	return p.ref.Context().Digest(p.img.digest.String()).Name()
}
func (p *registrySink) tag() string { return p.ref.Name() }

func (p *registrySink) has(ctx context.Context) (bool, error) {
	found, err := remote.Head(p.ref, p.access.Options(ctx, nil)...)
	if registry.IsStatus(err, http.StatusNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for image %s: %w", p.tag(), registry.Explain(err))
	}
	return found.Digest == p.img.digest, nil
}

// size is that of blobs together.
func size(blobs []v1.Descriptor) (n int64) {
	for _, blob := range blobs {
		n += blob.Size
	}
	return n
}

func (p *registrySink) lacks(ctx context.Context) (missing []v1.Descriptor, present int64, err error) {
	manifest, err := p.img.Manifest()
	if err != nil {
		return nil, 0, err
	}
	blobs := append(slices.Clone(manifest.Layers), manifest.Config)
	exists := make([]bool, len(blobs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(p.access.AtOnce())
	for n, blob := range blobs {
		group.Go(func() (err error) {
			exists[n], err = p.hasBlob(ctx, blob.Digest)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, 0, fmt.Errorf("ask %s for layers: %w", p.ref.Context(), registry.Explain(err))
	}
	for n, blob := range blobs {
		if exists[n] {
			present += blob.Size
		} else {
			missing = append(missing, blob)
		}
	}
	return missing, present, nil
}

func (p *registrySink) hasBlob(ctx context.Context, digest v1.Hash) (bool, error) {
	layer, err := remote.Layer(p.ref.Context().Digest(digest.String()), p.access.Options(ctx, nil)...)
	if err != nil {
		return false, err
	}
	exists, err := partial.Exists(layer)
	if registry.IsStatus(err, http.StatusNotFound) {
		return false, nil
	}
	return exists, err
}

func (p *registrySink) put(ctx context.Context) (transfer, error) {
	meter := &registry.Meter{}
	updates := make(chan v1.Update, 64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for update := range updates {
			p.progress(Event{Step: "layers", Text: p.tag(), Done: update.Complete, Total: update.Total})
		}
	}()
	options := append(p.access.Options(ctx, meter), remote.WithProgress(updates))
	err := remote.Write(p.ref, p.img, options...)
	<-done
	sent := p.transfer(meter)
	if err != nil {
		return sent, fmt.Errorf("push image %s: %w", p.tag(), registry.Explain(err))
	}
	p.progress(Event{Step: "manifest", Text: p.reference()})
	return sent, nil
}

// transfer puts sizes to the digests that the meter saw. A blob that was asked for
// again after a broken upload counts once.
func (p *registrySink) transfer(meter *registry.Meter) transfer {
	sent, mounted, present := meter.Seen()
	result := transfer{sent: sent}
	manifest, err := p.img.Manifest()
	if err != nil {
		return result
	}
	for _, blob := range append(slices.Clone(manifest.Layers), manifest.Config) {
		switch digest := blob.Digest.String(); {
		case slices.Contains(mounted, digest):
			result.mounted += blob.Size
		case slices.Contains(present, digest):
			result.present += blob.Size
		}
	}
	return result
}

// layoutSink is an image's place in an OCI layout. The layout then holds this
// image alone; blobs of earlier ones stay until the directory is removed.
type layoutSink struct {
	dir      string
	img      *Image
	progress func(Event)
}

func (d *layoutSink) reference() string { return "oci:" + d.dir + "@" + d.img.digest.String() }
func (d *layoutSink) tag() string       { return "" }

func (d *layoutSink) has(context.Context) (bool, error) {
	if err := source.CheckLayout(d.dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	index, err := layout.ImageIndexFromPath(d.dir)
	if err != nil {
		return false, d.checkFree()
	}
	if _, err := source.Child(index, d.img.digest); err != nil {
		return false, nil
	}
	missing, _, err := d.lacks(context.Background())
	return len(missing) == 0, err
}

// checkFree refuses to write among files that are no layout.
func (d *layoutSink) checkFree() error {
	entries, err := os.ReadDir(d.dir)
	if err == nil && len(entries) > 0 {
		return fmt.Errorf("destination %s: the directory is not empty and no OCI layout", d.dir)
	}
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("destination %s: %w", d.dir, err)
	}
	return nil
}

func (d *layoutSink) lacks(context.Context) (missing []v1.Descriptor, present int64, err error) {
	manifest, err := d.img.Manifest()
	if err != nil {
		return nil, 0, err
	}
	for _, blob := range append(slices.Clone(manifest.Layers), manifest.Config) {
		info, err := os.Stat(filepath.Join(d.dir, "blobs", blob.Digest.Algorithm, blob.Digest.Hex))
		switch {
		case err == nil && info.Mode().Type() == fs.FileMode(0) && info.Size() == blob.Size:
			present += blob.Size
		default:
			missing = append(missing, blob)
		}
	}
	return missing, present, nil
}

func (d *layoutSink) put(ctx context.Context) (transfer, error) {
	blobs, present, err := d.lacks(ctx)
	if err != nil {
		return transfer{}, err
	}
	missing := size(blobs)
	d.progress(Event{Step: "layers", Text: d.dir, Total: missing})
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: d.img, Descriptor: v1.Descriptor{
		Platform: &v1.Platform{OS: "linux", Architecture: d.img.Arch},
	}})
	if _, err := layout.Write(d.dir, index); err != nil {
		return transfer{}, fmt.Errorf("write OCI layout %s: %w", d.dir, registry.Explain(err))
	}
	d.progress(Event{Step: "manifest", Text: d.reference(), Done: missing, Total: missing})
	return transfer{sent: missing, present: present}, nil
}
