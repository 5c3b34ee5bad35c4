package image

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// program is the smallest thing that a check takes for a Linux executable.
func program(arch string) []byte {
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]
	header := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT), Ehsize: 64, Phentsize: 56, Shentsize: 64,
	}
	var out bytes.Buffer
	if err := binary.Write(&out, binary.LittleEndian, header); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func dir(name string) tar.Header {
	return tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755}
}

func file(name string, size int) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(size)}
}

func link(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}
}

// layer packs entries as they are; files hold their own name over and over.
func layer(t testing.TB, mediaType types.MediaType, entries ...tar.Header) v1.Layer {
	t.Helper()
	var out bytes.Buffer
	archive := tar.NewWriter(&out)
	for _, entry := range entries {
		entry.Format, entry.ModTime = tar.FormatPAX, epoch
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

// app is a small web app's image, as a builder would leave it.
func app(t testing.TB, kind types.MediaType, arch string, layers ...v1.Layer) v1.Image {
	t.Helper()
	layerType, configType := types.OCILayer, types.OCIConfigJSON
	if kind == types.DockerManifestSchema2 {
		layerType, configType = types.DockerLayer, types.DockerConfigJSON
	}
	if layers == nil {
		layers = []v1.Layer{
			layer(t, layerType, dir("bin"), file("bin/node", 4000), dir("tmp")),
			layer(t, layerType, dir("app"), dir("app/api"), file("app/api/index.js", 50), dir("app/client"),
				dir("app/client/dist"), file("app/client/dist/index.html", 20)),
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

// stored writes an image to an OCI layout and returns how Options name it.
func stored(t testing.TB, images ...v1.Image) string {
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

func options(base string) Options {
	return Options{
		Base: base, Bootstrap: program("amd64"),
		Links:  []Link{{"/app/api/logs", "/tmp/app/logs"}, {"/app/uploads", "/tmp/app/uploads"}},
		Files:  map[string][]byte{"/opt/sluice/rules.json": []byte("[]\n"), "/opt/sluice/more.mjs": []byte("// more\n")},
		Env:    map[string]string{"NODE_ENV": "production", "LD_PRELOAD": ""},
		Labels: map[string]string{"app": "chat"},
		Expect: []string{"/app/api/index.js", "/app/client/dist/index.html"},
	}
}

// newRegistry serves go-containerregistry's registry and returns its host.
func newRegistry(t testing.TB) string {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}
