package s3

import (
	"crypto/md5"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aproorg/sluice/internal/emulate/sigv4"
	"github.com/aproorg/sluice/internal/timeline"
)

// Bounds of what is read: a PutObject or part of 5 GB, as S3's own, which goes to the
// disk, and a document of XML, of which the largest names 1,000 keys of 1,024 bytes
// or 10,000 parts.
const (
	maxPut      = 5 << 30
	maxDocument = 4 << 20
)

// API serves the S3 REST API with path-style addresses: /{bucket}/{key}. Requests must
// be signed by one of the keys, for the store's region; without keys anybody may do
// everything. Every response names the region, as those of HeadBucket do.
func (s *Store) API(keys ...sigv4.Key) http.Handler {
	guard := sigv4.S3{Keys: keys, Region: s.region}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		identify(w.Header())
		w.Header().Set("X-Amz-Bucket-Region", s.region)
		c := &call{Store: s, w: w, r: r, query: r.URL.Query()}
		end := c.recorded()
		if err := c.serve(guard); err != nil {
			c.fail(err)
		}
		end()
	})
}

// recorded tells the timeline of a PUT by a presigned URL, which is how a page's upload
// comes, and returns what tells of its end.
func (c *call) recorded() (end func()) {
	if c.r.Method != http.MethodPut || !c.query.Has("X-Amz-Signature") {
		return func() {}
	}
	id, path := c.w.Header().Get("X-Amz-Request-Id"), c.r.URL.EscapedPath()
	_, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if n := c.query.Get("partNumber"); n != "" {
		path += "?partNumber=" + n
	}
	w := &originResponse{ResponseWriter: c.w, emit: func(e timeline.Event) {
		e.Request, e.Hop = id, timeline.S3
		c.record.Emit(e)
	}}
	c.w = w
	w.emit(timeline.Event{Kind: timeline.RequestStart, Method: c.r.Method, Path: path, Upload: key})
	return func() {
		w.emit(timeline.Event{Kind: timeline.RequestEnd, Status: w.status, Bytes: max(0, c.r.ContentLength)})
	}
}

// call is one request of the API and the way to answer it.
type call struct {
	*Store
	w           http.ResponseWriter
	r           *http.Request
	query       url.Values
	bucket, key string
	signed      *sigv4.Signed // nil where signatures are not checked
	begun       bool          // the answer's head is sent
}

// operations are sub-resources, which name another operation than the method alone.
// Those that are not known here are refused: to answer with the object would be worse.
var operations = []string{"accelerate", "acl", "analytics", "attributes", "encryption", "intelligent-tiering", "inventory", "legal-hold",
	"logging", "metrics", "notification", "object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock",
	"replication", "requestPayment", "restore", "retention", "select", "tagging", "torrent", "versioning", "versionId", "versions", "website"}

func (c *call) serve(guard sigv4.S3) error {
	var err error
	bucket, key, _ := strings.Cut(strings.TrimPrefix(c.r.URL.EscapedPath(), "/"), "/")
	if c.bucket, err = url.PathUnescape(bucket); err == nil {
		c.key, err = url.PathUnescape(key)
	}
	if c.doubled {
		c.key = strings.TrimPrefix(c.key, c.bucket+"/")
	}
	switch {
	case err != nil:
		return invalidURI
	case c.r.Method == http.MethodOptions:
		return c.preflight()
	}
	if c.r.Header.Get("Origin") != "" {
		if rule := c.rule(c.bucket, c.r); rule != nil {
			rule.allow(c.w.Header(), c.r)
		}
	}
	if len(guard.Keys) > 0 {
		var refused *sigv4.Refusal
		if c.signed, refused = guard.Verify(c.r, c.now()); refused != nil {
			return &failure{refused.Status, refused.Code, refused.Message, refused.Fields}
		}
	}
	switch {
	case c.r.ContentLength > maxPut:
		c.w.Header().Set("Connection", "close")
		return tooLarge
	case len(c.key) > 1024:
		return keyTooLong
	}
	if err := c.sweep(c.bucket); err != nil {
		return err
	}
	if i := slices.IndexFunc(operations, c.query.Has); i >= 0 {
		return notImplemented("The emulated S3 has no " + operations[i])
	}
	switch {
	case c.bucket == "":
		return c.service()
	case c.key == "":
		return c.ofBucket()
	}
	return c.ofObject()
}

func (c *call) service() error {
	if c.r.Method != http.MethodGet {
		return notAllowed
	}
	return c.listBuckets()
}

func (c *call) ofBucket() error {
	switch {
	case c.query.Has("cors"):
		return c.corsConfiguration()
	case c.query.Has("lifecycle"):
		return c.lifecycleConfiguration()
	}
	switch c.r.Method {
	case http.MethodPut:
		return c.createBucket()
	case http.MethodDelete:
		return c.deleteBucket()
	case http.MethodHead:
		return c.inBucket()
	case http.MethodPost:
		if c.query.Has("delete") {
			return c.deleteObjects()
		}
	case http.MethodGet:
		switch {
		case c.query.Has("location"):
			return c.location()
		case c.query.Has("uploads"):
			return c.listUploads()
		}
		return c.listObjects()
	}
	return notAllowed
}

func (c *call) ofObject() error {
	upload := c.query.Has("uploadId")
	switch c.r.Method {
	case http.MethodGet, http.MethodHead:
		if upload {
			return c.listParts()
		}
		return c.getObject()
	case http.MethodPut:
		switch copied := c.r.Header.Get("X-Amz-Copy-Source") != ""; {
		case upload && copied:
			return notImplemented("The emulated S3 copies no parts")
		case upload:
			return c.uploadPart()
		case copied:
			return c.copyObject()
		}
		return c.putObject()
	case http.MethodDelete:
		if upload {
			return c.abortUpload()
		}
		return c.deleteObject()
	case http.MethodPost:
		switch {
		case c.query.Has("uploads"):
			return c.createUpload()
		case upload:
			return c.completeUpload()
		}
	}
	return notAllowed
}

// document answers with a document of XML, which names itself.
func (c *call) document(content any) error {
	text, err := xml.Marshal(content)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/xml")
	c.begun = true
	_, err = fmt.Fprintf(c.w, "%s%s", xml.Header, text)
	return err
}

// read takes a document of XML out of the request, with the digests that it says.
func (c *call) read(into any) error {
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxDocument)
	body := transferOf(c.r, c.signed)
	whole, err := c.integrity(body.header, body.trailers, byDefault)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.TeeReader(body, whole))
	var refused *failure
	switch {
	case errors.As(err, &refused):
		return refused
	case err != nil:
		return malformed
	}
	if err := whole.check(c, md5.Sum(text)); err != nil {
		return err
	}
	if xml.Unmarshal(text, into) != nil {
		return malformed
	}
	return nil
}

func (c *call) status(status int) error {
	c.begun = true
	c.w.WriteHeader(status)
	return nil
}

// inBucket is nil where there is such a bucket.
func (c *call) inBucket() error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.buckets[c.bucket] == nil {
		return noSuchBucket
	}
	return nil
}

// fail answers an error. Those that S3 has no name for are a fault here.
func (c *call) fail(err error) {
	if c.begun {
		return // what is sent cannot be taken back: the body is short
	}
	f := failureOf(err)
	if f == internalFailure {
		c.log.Error("S3 could not answer", "bucket", c.bucket, "key", c.key, "error", err)
	}
	_ = f.answer(c.w, c.r) // a client that has left needs no error
}
