// Package imagetest makes small container images for tests of the packages around
// image: layers of chosen entries, hostile ones too, or of this machine's programs, an
// app's image of them, and a layout on disk. It leaves out registries.
package imagetest

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Dir is a directory's entry in a layer.
func Dir(name string) tar.Header {
	return tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755}
}

// File is the entry of a file of size bytes.
func File(name string, size int) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(size)}
}

// Link is the entry of a symbolic link.
func Link(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}
}

// Layer packs entries as they are; files hold their own name over and over.
func Layer(t testing.TB, mediaType types.MediaType, entries ...tar.Header) v1.Layer {
	t.Helper()
	var out bytes.Buffer
	archive := tar.NewWriter(&out)
	for _, entry := range entries {
		entry.Format, entry.ModTime = tar.FormatPAX, time.Unix(0, 0)
		if err := archive.WriteHeader(&entry); err != nil {
			t.Fatal(err)
		}
		content := strings.Repeat(entry.Name, int(entry.Size)/max(1, len(entry.Name))+1)[:entry.Size]
		if _, err := io.WriteString(archive, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(out.Bytes())), nil
	}, tarball.WithMediaType(mediaType))
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

// App is a small web app's image, as a builder would leave it.
func App(t testing.TB, kind types.MediaType, arch string, layers ...v1.Layer) v1.Image {
	t.Helper()
	layerType, configType := types.OCILayer, types.OCIConfigJSON
	if kind == types.DockerManifestSchema2 {
		layerType, configType = types.DockerLayer, types.DockerConfigJSON
	}
	if layers == nil {
		layers = []v1.Layer{
			Layer(t, layerType, Dir("bin"), File("bin/node", 4000), Dir("tmp")),
			Layer(t, layerType, Dir("app"), Dir("app/api"), File("app/api/index.js", 50), Dir("app/client"),
				Dir("app/client/dist"), File("app/client/dist/index.html", 20)),
		}
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, kind), configType)
	img, err := mutate.ConfigFile(img, &v1.ConfigFile{
		OS: "linux", Architecture: arch, RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			Entrypoint: []string{"docker-entrypoint.sh"}, Cmd: []string{"node", "index.js"},
			WorkingDir: "/app/api", Env: []string{"PATH=/bin", "LD_PRELOAD=/lib/jemalloc.so"},
			Labels: map[string]string{"vendor": "somebody"},
		},
	})
	if err == nil {
		img, err = mutate.AppendLayers(img, layers...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// Stored writes images to an OCI layout in a directory of the test, and returns the
// reference to it, "oci:" and the directory. Each image stands in the index with its
// platform.
func Stored(t testing.TB, images ...v1.Image) string {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for _, img := range images {
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: img.(partial.Describable).(mutate.Appendable), Descriptor: v1.Descriptor{Platform: config.Platform()},
		})
	}
	dir := t.TempDir()
	if _, err := layout.Write(dir, index); err != nil {
		t.Fatal(err)
	}
	return "oci:" + dir
}
