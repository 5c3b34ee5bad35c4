//go:build release

package notice

import _ "embed"

// Text is the notice of this release, written by `go run ./internal/notice/gen`, which `make release` calls.
//
//go:embed embedded/THIRD-PARTY.txt
var Text string
