package image

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/aproorg/sluice/internal/bounded"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/image/registry"
	"github.com/aproorg/sluice/internal/image/rootfs"
)

// wholeLayers in the note about a base says that none of its layers is one that Lambda refuses.
const wholeLayers = "layers"

// check looks for the expected paths in the base, from the top layer down and no
// further than needed, and reads whole the layers that are new to the destination: what
// is there has been read before it was sent. A base that passed is remembered by its digest.
func check(ctx context.Context, img *Image, o Options, to sink) error {
	wanted := expected(o)
	noted := append(slices.Clone(wanted), wholeLayers)
	if o.remembered(img.Base, noted) {
		return nil
	}
	missing, _, err := to.lacks(ctx)
	if err != nil {
		return err
	}
	layers, err := img.Layers()
	if err != nil {
		return fmt.Errorf("check base image %s: %w", o.Base, err)
	}
	layers = layers[:len(layers)-img.added]
	search := rootfs.NewSearch(wanted)
	for n := len(layers) - 1; n >= 0; n-- {
		digest, err := layers[n].Digest()
		if err != nil {
			return fmt.Errorf("check base image %s: layer %d: %w", o.Base, n+1, err)
		}
		whole := slices.ContainsFunc(missing, func(blob v1.Descriptor) bool { return blob.Digest == digest })
		if !whole && search.Done() {
			continue
		}
		o.progress()(Event{Step: "check", Text: fmt.Sprintf("read layer %d of %d for the app's files, and for what Lambda refuses", n+1, len(layers))})
		err = search.Layer(ctx, layers[n], whole)
		var orphan *rootfs.OrphanError
		if errors.As(err, &orphan) {
			return hint.With(fmt.Errorf("base image %s: layer %d of %d: %w", o.Base, n+1, len(layers), err),
				"build it anew with docker build or BuildKit; a builder that writes archives itself must list each directory before what is in it")
		}
		if err != nil {
			return fmt.Errorf("check base image %s: layer %d: %w", o.Base, n+1, registry.Explain(err))
		}
	}
	if err := verdict(search, wanted, o); err != nil {
		return fmt.Errorf("base image %s: %w", o.Base, err)
	}
	return o.remember(img.Base, noted)
}

// expected is what to look for: the caller's paths, which must be there, and
// each link's parent, which must be a directory if it is there, because the
// links' layer lists it as one.
func expected(o Options) []string {
	wanted := slices.Clone(o.Expect)
	for _, link := range o.Links {
		if parent := path.Dir(link.Path); parent != "/" {
			wanted = append(wanted, parent)
		}
	}
	slices.Sort(wanted)
	return slices.Compact(wanted)
}

func verdict(s *rootfs.Search, wanted []string, o Options) error {
	for _, path := range wanted {
		kind, ok := s.Kind(path)
		isParent := slices.ContainsFunc(o.Links, func(link Link) bool { return strings.HasPrefix(link.Path, path+"/") })
		switch {
		case !ok && !slices.Contains(o.Expect, path):
			// The links' layer makes the directory.
		case !ok:
			return hint.With(fmt.Errorf("has no %s", path), "is it the app's image, and of a version that Sluice knows?")
		case isParent && kind != tar.TypeDir:
			return fmt.Errorf("%s is no directory: a link below it would replace it", path)
		}
	}
	return nil
}

// maxNote bounds what is read of a note about a base image.
const maxNote = 1 << 20

func (o Options) note(base v1.Hash) string {
	return filepath.Join(o.CacheDir, "bases", base.Hex+".json")
}

func (o Options) remembered(base v1.Hash, wanted []string) bool {
	if o.CacheDir == "" {
		return false
	}
	text, err := bounded.ReadFile(o.note(base), maxNote)
	if err != nil {
		return false
	}
	var have []string
	if json.Unmarshal(text, &have) != nil {
		return false
	}
	return !slices.ContainsFunc(wanted, func(path string) bool { return !slices.Contains(have, path) })
}

func (o Options) remember(base v1.Hash, wanted []string) error {
	if o.CacheDir == "" {
		return nil
	}
	text, err := json.Marshal(wanted)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(o.note(base)), 0o755); err != nil {
		return fmt.Errorf("remember base image %s: %w", base, err)
	}
	return os.WriteFile(o.note(base), text, 0o644)
}
