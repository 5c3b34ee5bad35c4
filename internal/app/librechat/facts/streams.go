package facts

import (
	_ "embed"
	"encoding/base64"
)

//go:embed streams.mjs
var streamsScript []byte

// nodeOptions loads the script that lets a stream be read in another process
// than the one that has generated it. It is a data URL, so that no file has to
// be put into the release's directory; an image has one (ImageAdditions).
func (r Release) nodeOptions() string {
	if r.Design != GeneratesAfterPost {
		return ""
	}
	return "--import=data:text/javascript;base64," + base64.StdEncoding.EncodeToString(streamsScript)
}
