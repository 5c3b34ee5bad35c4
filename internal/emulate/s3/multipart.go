package s3

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// upload is a multipart upload under way. Its parts lie where objects lie, so
// that a large upload does not fill the memory.
type upload struct {
	id, bucket, key string
	metadata        Metadata
	started         time.Time
	parts           map[int]part
}

type part struct {
	content
	modified time.Time
}

const (
	maxParts = 10_000
	minPart  = 5 << 20 // of all parts but the last
)

func (c *call) createUpload() error {
	if err := c.inBucket(); err != nil {
		return err
	}
	id := hex.EncodeToString(random(16))
	c.mu.Lock()
	c.uploads[id] = &upload{id: id, bucket: c.bucket, key: c.key, metadata: metadataOf(c.r.Header), started: time.Now(), parts: map[int]part{}}
	c.mu.Unlock()
	return c.document(struct {
		XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ InitiateMultipartUploadResult"`
		Bucket   string
		Key      string
		UploadID string `xml:"UploadId"`
	}{Bucket: c.bucket, Key: c.key, UploadID: id})
}

// upload finds the upload that the request names. The caller holds the lock.
func (c *call) upload() (*upload, error) {
	u := c.uploads[c.query.Get("uploadId")]
	if u == nil || u.bucket != c.bucket || u.key != c.key {
		return nil, noSuchUpload
	}
	return u, nil
}

func (c *call) uploadPart() error {
	number, err := strconv.Atoi(c.query.Get("partNumber"))
	if err != nil || number < 1 || number > maxParts {
		return invalidArgument("Part number must be an integer between 1 and 10000, inclusive")
	}
	got, _, err := c.take()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	u, err := c.upload()
	if err != nil {
		return c.reject(got, err)
	}
	if old, ok := u.parts[number]; ok {
		if err := c.discard(old.content); err != nil {
			return c.reject(got, err)
		}
	}
	u.parts[number] = part{got, time.Now()}
	c.w.Header().Set("Etag", got.etag())
	return c.status(http.StatusOK)
}

func (c *call) abortUpload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	u, err := c.upload()
	if err != nil {
		return err
	}
	delete(c.uploads, u.id)
	if err := c.discardParts(u); err != nil {
		return err
	}
	return c.status(http.StatusNoContent)
}

func (s *Store) discardParts(u *upload) error {
	var errs []error
	for _, p := range u.parts {
		errs = append(errs, s.discard(p.content))
	}
	return errors.Join(errs...)
}

type wantedPart struct {
	PartNumber int
	ETag       string
}

func (c *call) completeUpload() error {
	var in struct {
		Parts []wantedPart `xml:"Part"`
	}
	check, err := conditions(c.r.Header)
	if err == nil {
		err = c.read(&in)
	}
	if err != nil {
		return err
	}
	u, readers, tag, err := c.takeUpload(in.Parts)
	for _, r := range readers {
		defer r.Close()
	}
	if err != nil {
		return err
	}
	bodies := make([]io.Reader, len(readers))
	for i, r := range readers {
		bodies[i] = r
	}
	got, err := c.spool(io.MultiReader(bodies...))
	if err != nil {
		return err
	}
	got.tag = tag
	o, err := c.commit(c.bucket, c.key, got, u.metadata, check)
	if err != nil {
		return err
	}
	return c.document(struct {
		XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUploadResult"`
		Location string
		Bucket   string
		Key      string
		ETag     string
	}{Location: "/" + c.bucket + "/" + c.key, Bucket: c.bucket, Key: c.key, ETag: o.etag()})
}

// takeUpload ends an upload, opens the parts that the request names, and makes of their
// digests what S3 makes of them: the MD5 of the MD5s, and how many.
func (c *call) takeUpload(wanted []wantedPart) (*upload, []io.ReadCloser, string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	u, err := c.upload()
	if err != nil {
		return nil, nil, "", err
	}
	if err := u.check(wanted); err != nil {
		return nil, nil, "", err
	}
	var readers []io.ReadCloser
	sums := md5.New()
	for _, want := range wanted {
		p := u.parts[want.PartNumber]
		sums.Write(p.md5[:])
		r, err := p.open()
		if err != nil {
			return nil, readers, "", err
		}
		readers = append(readers, r)
	}
	delete(c.uploads, u.id)
	return u, readers, fmt.Sprintf("%x-%d", sums.Sum(nil), len(wanted)), c.discardParts(u) // open readers keep the bytes
}

// check says what is wrong with the parts that an upload is to be made of.
func (u *upload) check(wanted []wantedPart) error {
	if len(wanted) == 0 {
		return malformed
	}
	previous := 0
	for _, want := range wanted {
		p, ok := u.parts[want.PartNumber]
		switch {
		case want.PartNumber <= previous:
			return partOrder
		case !ok || strings.Trim(want.ETag, `"`) != strings.Trim(p.etag(), `"`):
			return invalidPart
		}
		previous = want.PartNumber
	}
	for _, want := range wanted[:len(wanted)-1] {
		if u.parts[want.PartNumber].size < minPart {
			return partTooSmall
		}
	}
	return nil
}

func (c *call) listUploads() error {
	limit, err := c.count("max-uploads", 1000, 1000)
	if err == nil {
		err = c.inBucket()
	}
	if err != nil {
		return err
	}
	type entry struct {
		Key       string
		UploadID  string `xml:"UploadId"`
		Initiated string
	}
	out := struct {
		XMLName            xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListMultipartUploadsResult"`
		Bucket             string
		Prefix             string
		KeyMarker          string
		UploadIDMarker     string `xml:"UploadIdMarker"`
		NextKeyMarker      string `xml:",omitempty"`
		NextUploadIDMarker string `xml:"NextUploadIdMarker,omitempty"`
		MaxUploads         int
		IsTruncated        bool
		Uploads            []entry `xml:"Upload"`
	}{Bucket: c.bucket, Prefix: c.query.Get("prefix"), KeyMarker: c.query.Get("key-marker"), UploadIDMarker: c.query.Get("upload-id-marker"), MaxUploads: limit}
	after := out.KeyMarker + "\x00" + out.UploadIDMarker
	if out.UploadIDMarker == "" {
		after = out.KeyMarker + "\x01" // all of the key
	}
	name := func(u *upload) string { return u.key + "\x00" + u.id }
	c.mu.RLock()
	defer c.mu.RUnlock()
	found := slices.DeleteFunc(slices.Collect(maps.Values(c.uploads)), func(u *upload) bool {
		return u.bucket != c.bucket || !strings.HasPrefix(u.key, out.Prefix) || out.KeyMarker != "" && name(u) <= after
	})
	slices.SortFunc(found, func(a, b *upload) int { return strings.Compare(name(a), name(b)) })
	for _, u := range found {
		if len(out.Uploads) == limit {
			out.IsTruncated = limit > 0
			break
		}
		out.NextKeyMarker, out.NextUploadIDMarker = u.key, u.id
		out.Uploads = append(out.Uploads, entry{u.key, u.id, stamp(u.started)})
	}
	return c.document(out)
}

func (c *call) listParts() error {
	limit, err := c.count("max-parts", 1000, 1000)
	if err != nil {
		return err
	}
	after, err := c.count("part-number-marker", 0, maxParts)
	if err != nil {
		return err
	}
	type entry struct {
		PartNumber   int
		LastModified string
		ETag         string
		Size         int64
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	u, err := c.upload()
	if err != nil {
		return err
	}
	out := struct {
		XMLName              xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListPartsResult"`
		Bucket               string
		Key                  string
		UploadID             string `xml:"UploadId"`
		PartNumberMarker     int
		NextPartNumberMarker int `xml:",omitempty"`
		MaxParts             int
		IsTruncated          bool
		Parts                []entry `xml:"Part"`
	}{Bucket: c.bucket, Key: c.key, UploadID: u.id, PartNumberMarker: after, MaxParts: limit}
	for _, n := range slices.Sorted(maps.Keys(u.parts)) {
		if n <= after {
			continue
		}
		if len(out.Parts) == limit {
			out.IsTruncated = limit > 0
			break
		}
		p := u.parts[n]
		out.NextPartNumberMarker = n
		out.Parts = append(out.Parts, entry{n, stamp(p.modified), p.etag(), p.size})
	}
	return c.document(out)
}
