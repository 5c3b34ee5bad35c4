package policy

import "strings"

// Match reports whether a path pattern matches: * stands for any number of
// characters, slashes too, ? for one. Case counts, and a slash before the pattern
// may be left out (developer guide, "Path pattern").
func Match(pattern, path string) bool {
	pattern, path = strings.TrimPrefix(pattern, "/"), strings.TrimPrefix(path, "/")
	star, resume := -1, 0 // where to go back to: behind the last *, one character further
	p, s := 0, 0
	for s < len(path) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, s
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == path[s]):
			p++
			s++
		case star >= 0:
			resume++
			p, s = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
