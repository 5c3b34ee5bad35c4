//go:build release

package bootstrapbin

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"sync"
)

// Written by `go run ./internal/bootstrapbin/gen`, which `make release` calls.
var (
	//go:embed embedded/bootstrap-linux-amd64.gz
	amd64 []byte
	//go:embed embedded/bootstrap-linux-arm64.gz
	arm64 []byte

	unpacked = map[string]func() []byte{
		"amd64": sync.OnceValue(func() []byte { return gunzip(amd64) }),
		"arm64": sync.OnceValue(func() []byte { return gunzip(arm64) }),
	}
)

func embedded(arch string) ([]byte, bool) {
	content, ok := unpacked[arch]
	if !ok {
		return nil, false
	}
	return content(), true
}

// gunzip cannot fail at a user's: the bytes are part of this executable, and
// the release's own test has unpacked them.
func gunzip(packed []byte) []byte {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		panic(err)
	}
	content, err := io.ReadAll(reader)
	if err != nil {
		panic(err)
	}
	return content
}
