package s3

import (
	"net/http"
	"strings"
)

// watch is a write under way: a conditional one, or a multipart upload. It learns what
// happens to its key meanwhile.
type watch struct {
	bucket, key string
	since       uint64 // the changes of the store when it began
	deleted     bool   // the object was deleted after it began
}

// follow begins a watch, until unfollow.
func (s *Store) follow(bucket, key string) *watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &watch{bucket: bucket, key: key, since: s.changes}
	s.watches[w] = struct{}{}
	return w
}

func (s *Store) unfollow(w *watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watches, w)
}

// conditions are those of a conditional write: nil where the request has none. The
// check refuses what is there, under the lock.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func conditions(h http.Header, w *watch) (func(*object) error, error) {
	none, match := h.Get("If-None-Match"), h.Get("If-Match")
	unsupported := notImplemented("A header you provided implies functionality that is not implemented")
	switch {
	case none != "" && match != "":
		return nil, unsupported.with("Header", "If-Match,If-None-Match", "additionalMessage", "Multiple conditional request headers present in the request")
	case none != "" && none != "*":
		return nil, unsupported.with("Header", "If-None-Match", "additionalMessage", "We don't accept the provided value of If-None-Match header for this API")
	case match == "*":
		return nil, unsupported.with("Header", "If-Match", "additionalMessage", "We don't accept the provided value of If-Match header for this API")
	case none != "":
		return func(old *object) error {
			switch {
			case old != nil:
				return precondition.with("Condition", "If-None-Match")
			case w.deleted:
				return conflict.with("Condition", "If-None-Match", "Key", w.key)
			}
			return nil
		}, nil
	case match != "":
		return func(old *object) error {
			switch {
			case old == nil:
				return noSuchKey.with("Key", w.key)
			case !sameTag(match, old.etag()):
				return precondition.with("Condition", "If-Match")
			case old.change > w.since:
				return conflict.with("Condition", "If-Match", "Key", w.key)
			}
			return nil
		}, nil
	}
	return nil, nil
}

// ifMatch is the condition of a delete.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
func ifMatch(h http.Header) (func(*object) error, error) {
	for _, name := range []string{"X-Amz-If-Match-Last-Modified-Time", "X-Amz-If-Match-Size"} {
		if h.Get(name) != "" {
			return nil, notImplemented("A header you provided implies functionality that is not implemented").with("Header", strings.ToLower(name))
		}
	}
	match := h.Get("If-Match")
	if match == "" {
		return nil, nil
	}
	return func(old *object) error {
		if old == nil || match != "*" && !sameTag(match, old.etag()) {
			return precondition.with("Condition", "If-Match")
		}
		return nil
	}, nil
}

// sameTag compares entity tags, which clients send with quotation marks or without.
func sameTag(a, b string) bool { return strings.Trim(a, `"`) == strings.Trim(b, `"`) }
