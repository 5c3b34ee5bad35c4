package s3

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of what is read: a PutObject or part of 5 GB, as S3's own, which goes to the
// disk, and a document of XML, of which the largest names 1,000 keys of 1,024 bytes
// or 10,000 parts.
const (
	maxPut      = 5 << 30
	maxDocument = 4 << 20
)

// API serves the S3 REST API with path-style addresses: /{bucket}/{key}. Every
// response names the region, as those of HeadBucket do; a client that signs for
// another one is not sent away.
func (s *Store) API() http.Handler { return http.HandlerFunc(s.serveAPI) }

func (s *Store) serveAPI(w http.ResponseWriter, r *http.Request) {
	identify(w.Header())
	w.Header().Set("X-Amz-Bucket-Region", s.region)
	c := &call{Store: s, w: w, r: r, query: r.URL.Query()}
	if err := c.serve(); err != nil {
		c.fail(err)
	}
}

// call is one request of the API and the way to answer it.
type call struct {
	*Store
	w           http.ResponseWriter
	r           *http.Request
	query       url.Values
	bucket, key string
	begun       bool // the answer's head is sent
}

// operations are sub-resources, which name another operation than the method alone.
// Those that are not known here are refused: to answer with the object would be worse.
var operations = []string{"accelerate", "acl", "analytics", "attributes", "cors", "encryption", "intelligent-tiering", "inventory", "legal-hold",
	"lifecycle", "logging", "metrics", "notification", "object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock",
	"replication", "requestPayment", "restore", "retention", "select", "tagging", "torrent", "versioning", "versionId", "versions", "website"}

func (c *call) serve() error {
	if expired(c.query, time.Now()) {
		return requestExpired
	}
	if c.r.ContentLength > maxPut {
		c.w.Header().Set("Connection", "close")
		return tooLarge
	}
	var err error
	bucket, key, _ := strings.Cut(strings.TrimPrefix(c.r.URL.EscapedPath(), "/"), "/")
	if c.bucket, err = url.PathUnescape(bucket); err == nil {
		c.key, err = url.PathUnescape(key)
	}
	switch {
	case err != nil:
		return invalidURI
	case len(c.key) > 1024:
		return keyTooLong
	case c.r.Method == http.MethodOptions:
		return corsNotEnabled
	}
	if i := slices.IndexFunc(operations, c.query.Has); i >= 0 {
		return &failure{http.StatusNotImplemented, "NotImplemented", "The emulated S3 has no " + operations[i]}
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
			return &failure{http.StatusNotImplemented, "NotImplemented", "The emulated S3 copies no parts"}
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

// expired reports whether a presigned URL is past its time.
func expired(q url.Values, now time.Time) bool {
	if !q.Has("X-Amz-Expires") {
		return false
	}
	signedAt, err := time.Parse("20060102T150405Z", q.Get("X-Amz-Date"))
	seconds, err2 := strconv.Atoi(q.Get("X-Amz-Expires"))
	return err != nil || err2 != nil || now.After(signedAt.Add(time.Duration(seconds)*time.Second))
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

// read takes a document of XML out of the request.
func (c *call) read(into any) error {
	text, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxDocument))
	if err != nil {
		return malformed
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
