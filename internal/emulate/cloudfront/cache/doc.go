// Package cache keeps responses at the edge and says for how long they are fresh.
//
// It models: minimum, default and maximum TTL with Cache-Control, Expires, Age and
// Vary: *; validators and what a 304 changes; ranges and conditions answered from
// a stored response; stale responses while the origin fails; the caching of errors;
// invalidation by path. (RFC 9111 as far as CloudFront follows it.)
//
// It refuses to keep objects of more than 8 MiB (they pass), parts of objects, and
// answers to HEAD.
//
// It cannot know when an edge evicts: here the least recently used go first, at a
// bound. It leaves the key of an object to package policy.
//
// Sources: CloudFront developer guide, "Manage how long content stays in the cache
// (expiration)", "How CloudFront processes HTTP 4xx and 5xx status codes".
package cache
