package source

import (
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// A manifest may claim any size: it is refused before a byte of it is read.
func TestOver10GB(t *testing.T) {
	manifest := &v1.Manifest{MediaType: types.OCIManifestSchema1, Layers: []v1.Descriptor{
		{MediaType: types.OCILayer, Size: 6 << 30}, {MediaType: types.OCILayer, Size: 5 << 30},
	}}
	if err := checkManifest(manifest); err == nil || !strings.Contains(err.Error(), "11.0 GB") {
		t.Errorf("got %v", err)
	}
}

// The registry's client reads as much of a configuration as the manifest claims.
func TestClaimedConfiguration(t *testing.T) {
	manifest := &v1.Manifest{Config: v1.Descriptor{MediaType: types.OCIConfigJSON, Size: 1 << 40}}
	if _, err := readConfig(unread{}, manifest); err == nil || !strings.Contains(err.Error(), "1099511627776 bytes") {
		t.Errorf("got %v", err)
	}
}

// unread is an image of which nothing may be read.
type unread struct{ v1.Image }
