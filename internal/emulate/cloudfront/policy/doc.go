// Package policy decides what a cache behavior takes of a viewer's request: which
// behavior a path matches, which headers, cookies and parameters the cache policy
// puts into the key and the origin request policy passes on, and the
// Accept-Encoding that counts.
//
// It refuses selections that no policy has, a minimum TTL over the maximum, and
// unknown viewer protocol policies. It leaves out how long an object is fresh
// (package cache), and knows nothing of where a viewer is: who calls makes the
// CloudFront-* headers.
//
// Sources: CloudFront developer guide, "Path pattern", "Control the cache key with a
// policy", "Control origin requests with a policy", "Cache compressed objects".
package policy
