package s3

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
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

func (p part) etag() string { return fmt.Sprintf(`"%x"`, p.md5) }

func (b backend) CreateMultipartUpload(bucket, key string, meta map[string]string) (gofakes3.UploadID, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := hex.EncodeToString(random(16))
	b.uploads[id] = &upload{id: id, bucket: bucket, key: key, metadata: fromAPI(meta), started: time.Now(), parts: map[int]part{}}
	return gofakes3.UploadID(id), nil
}

// upload finds an upload. The caller holds the lock.
func (b backend) upload(bucket, key string, id gofakes3.UploadID) (*upload, error) {
	u := b.uploads[string(id)]
	if u == nil || u.bucket != bucket || u.key != key {
		return nil, gofakes3.ErrNoSuchUpload
	}
	return u, nil
}

func (b backend) UploadPart(bucket, key string, id gofakes3.UploadID, number int, size int64, body io.Reader) (string, error) {
	c, err := b.spool(body)
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	u, err := b.upload(bucket, key, id)
	if err == nil && c.size != size {
		err = gofakes3.ErrIncompleteBody
	}
	if err != nil {
		return "", b.reject(c, err)
	}
	if old, ok := u.parts[number]; ok {
		if err := b.discard(old.content); err != nil {
			return "", err
		}
	}
	u.parts[number] = part{c, time.Now()}
	return u.parts[number].etag(), nil
}

func (b backend) AbortMultipartUpload(bucket, key string, id gofakes3.UploadID) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	u, err := b.upload(bucket, key, id)
	if err != nil {
		return err
	}
	delete(b.uploads, string(id))
	return b.discardParts(u)
}

func (s *Store) discardParts(u *upload) error {
	var errs []error
	for _, p := range u.parts {
		errs = append(errs, s.discard(p.content))
	}
	return errors.Join(errs...)
}

func (b backend) CompleteMultipartUpload(bucket, key string, id gofakes3.UploadID, in *gofakes3.CompleteMultipartUploadRequest) (gofakes3.VersionID, string, error) {
	u, readers, err := b.takeUpload(bucket, key, id, in)
	for _, r := range readers {
		defer r.Close()
	}
	if err != nil {
		return "", "", err
	}
	bodies := make([]io.Reader, len(readers))
	for i, r := range readers {
		bodies[i] = r
	}
	c, err := b.spool(io.MultiReader(bodies...))
	if err != nil {
		return "", "", err
	}
	o, err := b.commit(bucket, key, c, u.metadata, nil)
	if err != nil {
		return "", "", apiError(err, bucket, key)
	}
	return "", o.etag(), nil
}

// takeUpload ends an upload and opens the parts that the request names.
func (b backend) takeUpload(bucket, key string, id gofakes3.UploadID, in *gofakes3.CompleteMultipartUploadRequest) (*upload, []io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u, err := b.upload(bucket, key, id)
	if err != nil {
		return nil, nil, err
	}
	var readers []io.ReadCloser
	previous := 0
	for _, want := range in.Parts {
		p, ok := u.parts[want.PartNumber]
		if !ok || strings.Trim(want.ETag, `"`) != strings.Trim(p.etag(), `"`) {
			return nil, readers, gofakes3.ErrInvalidPart
		}
		if want.PartNumber <= previous {
			return nil, readers, gofakes3.ErrInvalidPartOrder
		}
		previous = want.PartNumber
		r, err := p.open()
		if err != nil {
			return nil, readers, err
		}
		readers = append(readers, r)
	}
	delete(b.uploads, string(id))
	return u, readers, b.discardParts(u) // open readers keep the bytes
}

func (b backend) ListMultipartUploads(bucket string, marker *gofakes3.UploadListMarker, prefix gofakes3.Prefix, limit int64) (*gofakes3.ListMultipartUploadsResult, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	out := &gofakes3.ListMultipartUploadsResult{Bucket: bucket, MaxUploads: limit, Prefix: prefix.Prefix}
	found := slices.DeleteFunc(slices.Collect(maps.Values(b.uploads)), func(u *upload) bool {
		return u.bucket != bucket || !strings.HasPrefix(u.key, prefix.Prefix) || marker != nil && u.key <= marker.Object
	})
	slices.SortFunc(found, func(a, c *upload) int { return strings.Compare(a.key+a.id, c.key+c.id) })
	for _, u := range found {
		if limit > 0 && int64(len(out.Uploads)) == limit {
			out.IsTruncated = true
			break
		}
		out.NextKeyMarker, out.NextUploadIDMarker = u.key, gofakes3.UploadID(u.id)
		out.Uploads = append(out.Uploads, gofakes3.ListMultipartUploadItem{
			Key: u.key, UploadID: gofakes3.UploadID(u.id), Initiated: gofakes3.NewContentTime(u.started)})
	}
	return out, nil
}

func (b backend) ListParts(bucket, key string, id gofakes3.UploadID, marker int, limit int64) (*gofakes3.ListMultipartUploadPartsResult, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	u, err := b.upload(bucket, key, id)
	if err != nil {
		return nil, err
	}
	out := &gofakes3.ListMultipartUploadPartsResult{Bucket: bucket, Key: key, UploadID: id, MaxParts: limit, PartNumberMarker: marker}
	for _, n := range slices.Sorted(maps.Keys(u.parts)) {
		if n <= marker {
			continue
		}
		if limit > 0 && int64(len(out.Parts)) == limit {
			out.IsTruncated = true
			break
		}
		p := u.parts[n]
		out.NextPartNumberMarker = n
		out.Parts = append(out.Parts, gofakes3.ListMultipartUploadPartItem{
			PartNumber: n, Size: p.size, ETag: p.etag(), LastModified: gofakes3.NewContentTime(p.modified)})
	}
	return out, nil
}
