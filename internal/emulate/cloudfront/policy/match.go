package policy

import (
	"strings"

	"github.com/aproorg/sluice/internal/wildcard"
)

// Match reports whether a path pattern matches: * stands for any number of
// characters, slashes too, ? for one. Case counts, and a slash before the pattern
// may be left out (developer guide, "Path pattern").
func Match(pattern, path string) bool {
	return wildcard.Match(strings.TrimPrefix(pattern, "/"), strings.TrimPrefix(path, "/"))
}
