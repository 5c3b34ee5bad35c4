package s3

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/johannesboyne/gofakes3"
)

// backend is the store as gofakes3 wants it.
type backend struct{ *Store }

var (
	_ gofakes3.Backend          = backend{}
	_ gofakes3.MultipartBackend = backend{}
)

func (b backend) ListBuckets() ([]gofakes3.BucketInfo, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var out []gofakes3.BucketInfo
	for _, name := range slices.Sorted(maps.Keys(b.buckets)) {
		out = append(out, gofakes3.BucketInfo{Name: name, CreationDate: gofakes3.NewContentTime(b.buckets[name].created)})
	}
	return out, nil
}

func (b backend) ListBucket(name string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	bucket := b.buckets[name]
	if bucket == nil {
		return nil, gofakes3.BucketNotFound(name)
	}
	if prefix == nil {
		prefix = &gofakes3.Prefix{}
	}
	out, common, count := gofakes3.NewObjectList(), "", int64(0)
	for _, key := range slices.Sorted(maps.Keys(bucket.objects)) {
		var m gofakes3.PrefixMatch
		if page.HasMarker && key <= page.Marker || !prefix.Match(key, &m) || m.CommonPrefix && m.MatchedPart == common {
			continue
		}
		if page.MaxKeys > 0 && count == page.MaxKeys {
			out.IsTruncated = true
			break
		}
		count++
		out.NextMarker = key
		if m.CommonPrefix {
			common = m.MatchedPart
			out.AddPrefix(common)
			continue
		}
		o := bucket.objects[key]
		out.Add(&gofakes3.Content{Key: key, Size: o.size, ETag: o.etag(), LastModified: gofakes3.NewContentTime(o.modified)})
	}
	if !out.IsTruncated {
		out.NextMarker = ""
	}
	return out, nil
}

func (b backend) CreateBucket(name string) error {
	if exists, _ := b.BucketExists(name); exists {
		return gofakes3.ResourceError(gofakes3.ErrBucketAlreadyExists, name)
	}
	b.Bucket(name)
	return nil
}

func (b backend) BucketExists(name string) (bool, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.buckets[name] != nil, nil
}

func (b backend) DeleteBucket(name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	bucket := b.buckets[name]
	switch {
	case bucket == nil:
		return gofakes3.BucketNotFound(name)
	case len(bucket.objects) > 0:
		return gofakes3.ResourceError(gofakes3.ErrBucketNotEmpty, name)
	}
	delete(b.buckets, name)
	return nil
}

func (b backend) ForceDeleteBucket(name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	bucket := b.buckets[name]
	if bucket == nil {
		return gofakes3.BucketNotFound(name)
	}
	var errs []error
	for _, o := range bucket.objects {
		errs = append(errs, b.discard(o.content))
	}
	delete(b.buckets, name)
	return errors.Join(errs...)
}

func (b backend) GetObject(bucket, key string, want *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	o, body, err := b.get(bucket, key)
	if err != nil {
		return nil, apiError(err, bucket, key)
	}
	part, err := want.Range(o.size)
	if err != nil {
		body.Close()
		return nil, err
	}
	out := o.api(key, body)
	if part != nil {
		if _, err := body.Seek(part.Start, io.SeekStart); err != nil {
			body.Close()
			return nil, err
		}
		out.Range = part
		out.Contents = limited{io.LimitReader(body, part.Length), body}
	}
	return out, nil
}

func (b backend) HeadObject(bucket, key string) (*gofakes3.Object, error) {
	o, body, err := b.get(bucket, key)
	if err != nil {
		return nil, apiError(err, bucket, key)
	}
	body.Close()
	return o.api(key, http.NoBody), nil
}

// api is the object as gofakes3 sends it.
func (o *object) api(key string, body io.ReadCloser) *gofakes3.Object {
	meta := map[string]string{"Last-Modified": o.modified.UTC().Format(http.TimeFormat)}
	for name := range o.metadata {
		meta[name] = o.metadata.Get(name)
	}
	return &gofakes3.Object{Name: key, Metadata: meta, Size: o.size, Contents: body, Hash: o.md5[:]}
}

type limited struct {
	io.Reader
	io.Closer
}

func (b backend) DeleteObject(bucket, key string) (gofakes3.ObjectDeleteResult, error) {
	return gofakes3.ObjectDeleteResult{}, apiError(b.remove(bucket, key), bucket, key)
}

func (b backend) DeleteMulti(bucket string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	var out gofakes3.MultiDeleteResult
	for _, key := range keys {
		err := apiError(b.remove(bucket, key), bucket, key)
		if gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchBucket) {
			return out, err
		}
		if err != nil {
			out.Error = append(out.Error, gofakes3.ErrorResultFromError(err))
			continue
		}
		out.Deleted = append(out.Deleted, gofakes3.ObjectID{Key: key})
	}
	return out, nil
}

func (b backend) PutObject(bucket, key string, meta map[string]string, body io.Reader, size int64, conditions *gofakes3.PutConditions) (gofakes3.PutObjectResult, error) {
	c, err := b.spool(body)
	if err != nil {
		return gofakes3.PutObjectResult{}, err
	}
	if c.size != size {
		b.mu.Lock()
		defer b.mu.Unlock()
		return gofakes3.PutObjectResult{}, b.reject(c, gofakes3.ErrIncompleteBody)
	}
	_, err = b.commit(bucket, key, c, fromAPI(meta), func(old *object) error {
		info := &gofakes3.ConditionalObjectInfo{Exists: old != nil}
		if old != nil {
			info.Hash = old.md5[:]
		}
		if conditions == nil {
			return nil
		}
		return gofakes3.CheckPutConditions(conditions, info)
	})
	return gofakes3.PutObjectResult{}, apiError(err, bucket, key)
}

func (b backend) CopyObject(srcBucket, srcKey, dstBucket, dstKey string, meta map[string]string) (gofakes3.CopyObjectResult, error) {
	o, body, err := b.get(srcBucket, srcKey)
	if err != nil {
		return gofakes3.CopyObjectResult{}, apiError(err, srcBucket, srcKey)
	}
	defer body.Close()
	c, err := b.spool(body)
	if err != nil {
		return gofakes3.CopyObjectResult{}, err
	}
	m := o.metadata
	if meta["X-Amz-Metadata-Directive"] == "REPLACE" {
		m = fromAPI(meta)
	}
	o, err = b.commit(dstBucket, dstKey, c, m, nil)
	if err != nil {
		return gofakes3.CopyObjectResult{}, apiError(err, dstBucket, dstKey)
	}
	return gofakes3.CopyObjectResult{ETag: o.etag(), LastModified: gofakes3.NewContentTime(o.modified)}, nil
}

// carried are headers of an upload that gofakes3 does not keep; the API view
// hands them to the store under a name that it does.
var carried = []string{"Cache-Control", "Content-Language", "Expires"}

const carriedPrefix = "X-Amz-Sluice-"

// fromAPI keeps what S3 keeps of the headers that gofakes3 hands over.
func fromAPI(meta map[string]string) Metadata {
	m := Metadata{}
	for name, value := range meta {
		switch {
		case strings.HasPrefix(name, carriedPrefix):
			m.Set(strings.TrimPrefix(name, carriedPrefix), value)
		case strings.HasPrefix(name, "X-Amz-Meta-"), strings.HasPrefix(name, "Content-"):
			m.Set(name, value)
		}
	}
	return m
}

func apiError(err error, bucket, key string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoBucket):
		return gofakes3.BucketNotFound(bucket)
	case errors.Is(err, fs.ErrNotExist):
		return gofakes3.KeyNotFound(key)
	}
	return err
}
