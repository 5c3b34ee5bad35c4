// Package source finds an image by its reference: in a registry, in an OCI layout on
// disk, or in the output of docker save. It picks the one for the platform, and
// checks all of it that can be checked without reading a layer; layers are checked
// against their digests while they are read.
//
// It leaves out what is made of the image: see packages image and rootfs.
package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/image/registry"
	"github.com/aproorg/sluice/internal/image/rootfs"
)

// Base is an image that has passed all checks which need no layer.
type Base struct {
	Image    v1.Image
	Digest   v1.Hash // of the manifest
	Manifest *v1.Manifest
	Config   *v1.ConfigFile
}

// Open returns the image that ref names for linux/arch: REPOSITORY:TAG,
// REPOSITORY@DIGEST, oci:DIR, oci:DIR@DIGEST or tar:FILE. Its layers are read when
// they are used, while ctx lives, and checked against their digests then.
func Open(ctx context.Context, ref, arch string, access registry.Access) (v1.Image, error) {
	base, err := OpenBase(ctx, ref, arch, access)
	if err != nil {
		return nil, err
	}
	return base.Image, nil
}

// OpenBase is Open for an image that another is made from.
func OpenBase(ctx context.Context, ref, arch string, access registry.Access) (*Base, error) {
	img, err := locate(ctx, ref, arch, access)
	if err != nil {
		return nil, fmt.Errorf("base image %s: %w", ref, registry.Explain(err))
	}
	base, err := newBase(img, arch)
	if err != nil {
		return nil, fmt.Errorf("base image %s: %w", ref, registry.Explain(err))
	}
	return base, nil
}

func locate(ctx context.Context, ref, arch string, access registry.Access) (v1.Image, error) {
	if dir, ok := strings.CutPrefix(ref, "oci:"); ok {
		return onDisk(fromLayout(dir, arch))
	}
	if file, ok := strings.CutPrefix(ref, "tar:"); ok {
		info, err := os.Stat(file)
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() { // to open a FIFO would wait for whoever writes to it
			return nil, fmt.Errorf("%s is not a file", file)
		}
		if err := checkTar(file); err != nil {
			return nil, err
		}
		return onDisk(tarball.ImageFromPath(file, nil))
	}
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return nil, err
	}
	found, err := remote.Get(parsed, access.Options(ctx, nil)...)
	if err != nil {
		return nil, err
	}
	if found.MediaType == types.DockerManifestSchema1 || found.MediaType == types.DockerManifestSchema1Signed {
		return nil, errSchema1
	}
	if found.MediaType.IsIndex() {
		index, err := found.ImageIndex()
		if err != nil {
			return nil, err
		}
		return pick(index, arch)
	}
	return found.Image()
}

func onDisk(img v1.Image, err error) (v1.Image, error) {
	if err != nil {
		return nil, err
	}
	return verifiedImage{img}, nil
}

func fromLayout(dir, arch string) (v1.Image, error) {
	dir, digest, byDigest := strings.Cut(dir, "@")
	err := CheckLayout(dir)
	var index v1.ImageIndex
	if err == nil {
		index, err = layout.ImageIndexFromPath(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("read the OCI layout: %w", err)
	}
	if !byDigest {
		return pick(index, arch)
	}
	hash, err := v1.NewHash(digest)
	if err != nil {
		return nil, err
	}
	return Child(index, hash)
}

// newBase checks what Lambda and the new layers demand of a base.
func newBase(img v1.Image, arch string) (*Base, error) {
	manifest, err := img.Manifest()
	if err != nil {
		return nil, err
	}
	// A manifest of OCI's may leave its own media type out.
	if manifest.MediaType == "" {
		manifest.MediaType = types.OCIManifestSchema1
	}
	if err := checkManifest(manifest); err != nil {
		return nil, err
	}
	config, err := readConfig(img, manifest)
	if err != nil {
		return nil, err
	}
	if config.OS != "linux" || config.Architecture != arch {
		return nil, fmt.Errorf("is for %s/%s, wanted linux/%s", config.OS, config.Architecture, arch)
	}
	digest, err := img.Digest()
	return &Base{Image: img, Digest: digest, Manifest: manifest, Config: config}, err
}

// maxConfig bounds an image's configuration, of which a registry takes as much.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests
const maxConfig = 4 << 20

func readConfig(img v1.Image, manifest *v1.Manifest) (*v1.ConfigFile, error) {
	if !manifest.Config.MediaType.IsConfig() {
		return nil, fmt.Errorf("is no container image: its configuration is %s", manifest.Config.MediaType)
	}
	// The registry client reads as much as the manifest says.
	if manifest.Config.Size > maxConfig {
		return nil, fmt.Errorf("has a configuration of %d bytes: at most %d are read", manifest.Config.Size, maxConfig)
	}
	raw, err := img.RawConfigFile()
	if err != nil {
		return nil, err
	}
	if err := checkDigest("configuration", raw, manifest.Config.Digest); err != nil {
		return nil, err
	}
	config, err := v1.ParseConfigFile(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("read its configuration: %w", err)
	}
	if len(config.RootFS.DiffIDs) != len(manifest.Layers) {
		return nil, fmt.Errorf("has %d layers, but its configuration lists %d", len(manifest.Layers), len(config.RootFS.DiffIDs))
	}
	return config, nil
}

var errSchema1 = hint.With(errors.New("is in Docker's image manifest schema 1, of before 2016: Lambda takes schema 2 or OCI's"),
	"skopeo copy --format v2s2 writes it anew")

// checkManifest refuses what Lambda would refuse after the push. Lambda takes
// gzip layers; of uncompressed ones only OCI's has a media type that it knows.
// https://docs.aws.amazon.com/lambda/latest/dg/images-create.html
func checkManifest(manifest *v1.Manifest) error {
	if manifest.MediaType == types.DockerManifestSchema1 || manifest.MediaType == types.DockerManifestSchema1Signed {
		return errSchema1
	}
	if !manifest.MediaType.IsImage() {
		return fmt.Errorf("has a manifest of type %s: Lambda takes Docker's schema 2 or OCI's", manifest.MediaType)
	}
	var size int64
	for _, layer := range manifest.Layers {
		switch layer.MediaType {
		case types.DockerLayer, types.OCILayer, types.OCIUncompressedLayer:
		case types.OCILayerZStd:
			return hint.With(fmt.Errorf("layer %s is zstd: Lambda takes gzip", layer.Digest), "skopeo copy --dest-compress-format gzip")
		default:
			return fmt.Errorf("layer %s has type %s: Lambda takes gzip layers", layer.Digest, layer.MediaType)
		}
		size += layer.Size
	}
	if size > rootfs.MaxSize {
		return fmt.Errorf("has %.1f GB of compressed layers: Lambda takes 10 GB unpacked", float64(size)/(1<<30))
	}
	return nil
}

func checkDigest(what string, content []byte, want v1.Hash) error {
	sum := sha256.Sum256(content)
	if got := hex.EncodeToString(sum[:]); want.Algorithm != "sha256" || got != want.Hex {
		return fmt.Errorf("%w: %s is sha256:%s, wanted %s", ErrDigest, what, got, want)
	}
	return nil
}

// ErrDigest says that content is not what its digest promised: it was changed,
// or cut short, where it was stored or on the way.
var ErrDigest = errors.New("content does not match its digest")
