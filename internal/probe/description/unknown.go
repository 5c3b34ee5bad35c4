package description

// Unknown describes a site of which nothing is known but whether / is a page. What
// holds for any site is checked: the page and its headers, TLS, that a file which
// does not exist is an error, and HEAD.
func Unknown(page bool) Description {
	d := Description{App: "unknown", Head: &Request{Path: "/"}}
	if page {
		d.Site = &Site{Missing: "/sluice-verify-${random}.js"}
	}
	return d
}
