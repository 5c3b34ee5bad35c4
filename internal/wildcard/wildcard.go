// Package wildcard matches texts with patterns of * and ?, as path patterns of CloudFront
// and resources of IAM have them. It leaves out classes of characters, escapes and paths:
// * stands for slashes too.
package wildcard

import "strings"

// Match reports whether a pattern matches all of a text: * stands for any number of bytes,
// ? for one. Case counts. It takes time in proportion to both lengths' product at most.
func Match(pattern, text string) bool {
	star, resume := -1, 0 // where to go back to: behind the last *, one byte further
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			resume++
			p, t = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
