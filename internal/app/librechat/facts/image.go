package facts

import (
	_ "embed"
	"path"
)

// Where the official image has the app, and the built front end below it.
const (
	ImageRoot = "/app"
	ImageSite = ImageRoot + "/client/dist"
)

// ImageLinks are the paths of the image that the app writes to, each with the
// place below /tmp that it must become a link to: nothing else is writable on
// Lambda. The bootstrap makes the targets before the app starts.
func ImageLinks() map[string]string {
	links := map[string]string{}
	for _, dir := range writable {
		links[path.Join(ImageRoot, dir)] = path.Join("/tmp"+ImageRoot, dir)
	}
	return links
}

// ImageFiles are two files by which the image is known: the server and the page
// of the built front end.
func ImageFiles() []string {
	return []string{Release{Dir: ImageRoot}.Command()[1], path.Join(ImageSite, "index.html")}
}

// Files that the image gets for LibreChat, beside the bootstrap: the rules here, and the
// hooks' scripts.
const (
	imageDir   = "/opt/sluice"
	imageRules = imageDir + "/librechat-rules.json"
)

// rules tell the bootstrap what a release in ImageRoot wants in its environment:
// what Detect, Env and Bootstrap say where the release's directory is at hand.
//
//go:embed rules.json
var rules []byte

// ImageAdditions are files, by their absolute paths, and variables that the image
// brings, so that the function's environment is the same for all releases: rules by
// which the bootstrap tells the release from its files, and the scripts of the hooks
// that some of them load. In another app's image no rule holds.
func ImageAdditions() (files map[string][]byte, environment map[string]string) {
	files = map[string][]byte{imageRules: rules}
	for _, h := range hooks {
		files[h.file()] = h.script
	}
	return files, map[string]string{"SLUICE_RULES": imageRules}
}
