package source

import (
	"errors"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/aproorg/sluice/internal/hint"
)

// pick returns the one image for linux/arch from an index, of any depth.
// Attestations, which builders put beside images, are no images to it.
func pick(index v1.ImageIndex, arch string) (v1.Image, error) {
	var found []v1.Image
	var others []string
	if err := walk(index, func(index v1.ImageIndex, entry v1.Descriptor) error {
		platform, err := platformOf(index, entry)
		if err != nil {
			return err
		}
		if platform.OS != "linux" || platform.Architecture != arch {
			others = append(others, platform.String())
			return nil
		}
		img, err := open(index, entry.Digest)
		found = append(found, img)
		return err
	}); err != nil {
		return nil, err
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, hint.With(fmt.Errorf("holds %d images for linux/%s", len(found), arch), "name one by its digest")
	case len(others) == 0:
		return nil, errors.New("holds no image")
	}
	return nil, fmt.Errorf("has no image for linux/%s, only for %s", arch, strings.Join(others, ", "))
}

// Child finds an image by its digest at any depth.
func Child(index v1.ImageIndex, digest v1.Hash) (found v1.Image, err error) {
	err = walk(index, func(index v1.ImageIndex, entry v1.Descriptor) (err error) {
		if entry.Digest == digest {
			found, err = open(index, digest)
		}
		return err
	})
	if err == nil && found == nil {
		err = fmt.Errorf("holds no image %s", digest)
	}
	return found, err
}

// maxDepth ends an index that holds itself.
const maxDepth = 4

func walk(index v1.ImageIndex, visit func(v1.ImageIndex, v1.Descriptor) error) error {
	return walkDepth(index, visit, maxDepth)
}

func walkDepth(index v1.ImageIndex, visit func(v1.ImageIndex, v1.Descriptor) error, depth int) error {
	if depth == 0 {
		return fmt.Errorf("nests indexes more than %d deep", maxDepth)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, entry := range manifest.Manifests {
		switch {
		case entry.MediaType.IsIndex():
			var nested v1.ImageIndex
			if nested, err = index.ImageIndex(entry.Digest); err == nil {
				err = walkDepth(nested, visit, depth-1)
			}
		case entry.MediaType == types.DockerManifestSchema1 || entry.MediaType == types.DockerManifestSchema1Signed:
			err = errSchema1
		case entry.MediaType.IsImage() && !attestation(entry):
			err = visit(index, entry)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// platformOf asks the index first: a registry's tells the platform, a layout's
// often does not, and then the image's configuration does.
func platformOf(index v1.ImageIndex, entry v1.Descriptor) (*v1.Platform, error) {
	if entry.Platform != nil {
		return entry.Platform, nil
	}
	img, err := open(index, entry.Digest)
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	return config.Platform(), nil
}

func open(index v1.ImageIndex, digest v1.Hash) (v1.Image, error) {
	img, err := index.Image(digest)
	if err != nil {
		return nil, err
	}
	raw, err := img.RawManifest()
	if err != nil {
		return nil, err
	}
	return img, checkDigest("manifest", raw, digest)
}

func attestation(entry v1.Descriptor) bool {
	return entry.Annotations["vnd.docker.reference.type"] != "" ||
		entry.Platform != nil && entry.Platform.OS == "unknown"
}
