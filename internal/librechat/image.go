package librechat

import "path"

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
