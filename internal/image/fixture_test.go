package image

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"log"
	"math/rand/v2"
	"net/http/httptest"
	"strings"
	"testing"

	registryserver "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/aproorg/sluice/internal/image/imagetest"
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

// Fixtures under the names that the tests here use.
var (
	dir, file, link = imagetest.Dir, imagetest.File, imagetest.Link
	layer, app      = imagetest.Layer, imagetest.App
	stored          = imagetest.Stored
)

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
	server := httptest.NewServer(registryserver.New(registryserver.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// noise is a layer that does not compress, the same each time.
func noise(t testing.TB, size int) v1.Layer {
	content := make([]byte, size)
	rand.NewChaCha8([32]byte{}).Read(content)
	packed, err := pack([]tar.Header{file("noise", 0)}, map[string][]byte{"noise": content})
	if err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed)), nil
	}, tarball.WithMediaType(types.DockerLayer))
	if err != nil {
		t.Fatal(err)
	}
	return layer
}
