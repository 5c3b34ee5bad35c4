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
