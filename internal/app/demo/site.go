package demo

import (
	"embed"
	"io/fs"
)

//go:embed site
var embedded embed.FS

// Site returns the built front end, rooted where index.html lies. What is below assets/ is named NAME.HASH.EXT, where
// HASH is of the content, and may be cached for ever; nothing else may (see [CacheControl]).
//
// The files are committed with their final names, so that there is no build step; a test renames them (-update).
func Site() fs.FS {
	site, err := fs.Sub(embedded, "site")
	if err != nil {
		panic(err) // only for an invalid constant path
	}
	return site
}
