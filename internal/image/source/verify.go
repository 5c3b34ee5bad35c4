package source

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// verifiedImage checks the layers of an image from disk against their digests while
// they are read, as the registry client does for one from a registry.
type verifiedImage struct{ v1.Image }

func (v verifiedImage) Layers() ([]v1.Layer, error) {
	layers, err := v.Image.Layers()
	for n := range layers {
		layers[n] = verifiedLayer{layers[n]}
	}
	return layers, err
}

func (v verifiedImage) LayerByDigest(digest v1.Hash) (v1.Layer, error) {
	layer, err := v.Image.LayerByDigest(digest)
	if err != nil {
		return nil, err
	}
	return verifiedLayer{layer}, nil
}

func (v verifiedImage) LayerByDiffID(diffID v1.Hash) (v1.Layer, error) {
	layer, err := v.Image.LayerByDiffID(diffID)
	if err != nil {
		return nil, err
	}
	return verifiedLayer{layer}, nil
}

type verifiedLayer struct{ v1.Layer }

// Descriptor keeps what the manifest says of the layer.
func (l verifiedLayer) Descriptor() (*v1.Descriptor, error) { return partial.Descriptor(l.Layer) }

func (l verifiedLayer) Compressed() (io.ReadCloser, error) {
	want, err := l.Digest()
	if err != nil {
		return nil, err
	}
	content, err := l.Layer.Compressed()
	if err != nil {
		return nil, err
	}
	return &verifier{ReadCloser: content, sum: sha256.New(), want: want}, nil
}

func (l verifiedLayer) Uncompressed() (io.ReadCloser, error) {
	layer, err := partial.CompressedToLayer(compressed{l})
	if err != nil {
		return nil, err
	}
	return layer.Uncompressed()
}

// compressed hides Uncompressed, so that it is derived from Compressed.
type compressed struct{ layer verifiedLayer }

func (c compressed) Digest() (v1.Hash, error)            { return c.layer.Digest() }
func (c compressed) Compressed() (io.ReadCloser, error)  { return c.layer.Compressed() }
func (c compressed) Size() (int64, error)                { return c.layer.Size() }
func (c compressed) MediaType() (types.MediaType, error) { return c.layer.MediaType() }

type verifier struct {
	io.ReadCloser
	sum  hash.Hash
	want v1.Hash
}

func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	v.sum.Write(p[:n])
	if err == io.EOF {
		if got := hex.EncodeToString(v.sum.Sum(nil)); got != v.want.Hex {
			return n, fmt.Errorf("%w: layer is sha256:%s, wanted %s", ErrDigest, got, v.want)
		}
	}
	return n, err
}
