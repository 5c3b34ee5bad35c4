package site

import (
	"fmt"
	"path"
	"strings"

	"github.com/aproorg/sluice/internal/hint"
)

// LeftOut is a file of the source that is not published, and why not.
type LeftOut struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// Why a file is left out.
const (
	Hidden     = "hidden"          // a part of its path begins with a dot; /.well-known/ alone is public
	Backup     = "editor's backup" // *~ *.swp #*# *.bak *.orig; .#* is hidden as well
	SourceMap  = "source map"      // *.map, which only developers read
	Compressed = "compressed copy" // *.gz *.br: CloudFront compresses by itself
	FileList   = "file manager's"  // Thumbs.db; .DS_Store is hidden
)

// wellKnown is the one directory that is public although it begins with a dot.
// https://www.rfc-editor.org/rfc/rfc8615
const wellKnown = ".well-known"

// Surprising tells whether somebody may have meant to publish the file. Source
// maps and compressed copies come with every build, and nobody misses them.
func (l LeftOut) Surprising() bool { return l.Reason != SourceMap && l.Reason != Compressed }

// reason says why a file or directory is left out by its own name, whatever
// lies above it. It is empty for one that is published.
func reason(segments []string, n int) string {
	name, last := segments[n], n == len(segments)-1
	switch {
	case n == 0 && name == wellKnown && !last:
		return ""
	case strings.HasPrefix(name, "."):
		return Hidden
	case !last:
		return ""
	case strings.HasSuffix(name, "~"), strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#"):
		return Backup
	case name == "Thumbs.db":
		return FileList
	}
	switch path.Ext(name) {
	case ".swp", ".bak", ".orig":
		return Backup
	case ".map":
		return SourceMap
	case ".gz", ".br":
		return Compressed
	}
	return ""
}

// leftOut returns why the file is not published, or nothing. Every part of its
// path that speaks against it needs a pattern that speaks for it.
func (i include) leftOut(file string) string {
	segments := strings.Split(file, "/")
	for n := range segments {
		if why := reason(segments, n); why != "" && !i.covers(segments, n) {
			return why
		}
	}
	return ""
}

// include are the patterns of Options.Include, split at slashes. One that had
// no slash but at its end stands for a name at any depth.
type include []pattern

type pattern struct {
	segments []string
	anywhere bool
}

func parseInclude(patterns []string) (include, error) {
	var parsed include
	for _, text := range patterns {
		trimmed := strings.TrimSuffix(text, "/")
		anywhere := !strings.Contains(trimmed, "/")
		trimmed = strings.TrimPrefix(trimmed, "/")
		segments := strings.Split(trimmed, "/")
		for _, segment := range segments {
			if _, err := path.Match(segment, ""); err != nil || segment == "" || segment == "**" {
				return nil, hint.With(fmt.Errorf("%q is not a pattern of files to include", text),
					"write a name such as .nojekyll, or a path from the site's root such as /maps/*.map; * stands for any characters but a slash")
			}
		}
		parsed = append(parsed, pattern{segments, anywhere})
	}
	return parsed, nil
}

// CheckInclude finds a pattern of Options.Include that cannot be read.
func CheckInclude(patterns []string) error {
	_, err := parseInclude(patterns)
	return err
}

// covers tells whether a pattern names the part n of a path: by its name alone,
// or by the path up to it or further down.
func (i include) covers(segments []string, n int) bool {
	for _, p := range i {
		if p.anywhere && matches(p.segments[0], segments[n]) {
			return true
		}
		if !p.anywhere && n < len(p.segments) && p.leads(segments) {
			return true
		}
	}
	return false
}

func (p pattern) leads(segments []string) bool {
	if len(p.segments) > len(segments) {
		return false
	}
	for n, want := range p.segments {
		if !matches(want, segments[n]) {
			return false
		}
	}
	return true
}

// matches is path.Match, but a leading dot must be spelled out, as in a shell:
// "*.bak" does not publish .env.bak.
func matches(pattern, name string) bool {
	if strings.HasPrefix(name, ".") && !strings.HasPrefix(pattern, ".") {
		return false
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}
