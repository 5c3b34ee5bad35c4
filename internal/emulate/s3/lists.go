package s3

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

func (c *call) listBuckets() error {
	type entry struct{ Name, CreationDate string }
	var out struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
		Owner   struct{ ID, DisplayName string }
		Buckets []entry `xml:"Buckets>Bucket"`
	}
	c.mu.RLock()
	for _, name := range slices.Sorted(maps.Keys(c.buckets)) {
		out.Buckets = append(out.Buckets, entry{name, stamp(c.buckets[name].created)})
	}
	c.mu.RUnlock()
	return c.document(out)
}

func (c *call) createBucket() error {
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(c.w, c.r.Body, maxDocument)); err != nil {
		return malformed // of its content nothing matters here: all buckets are in one region
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.buckets[c.bucket] != nil {
		return bucketExists
	}
	c.buckets[c.bucket] = &bucket{created: c.now(), objects: map[string]*object{}}
	c.w.Header().Set("Location", "/"+c.bucket)
	return c.status(http.StatusOK)
}

func (c *call) deleteBucket() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch b := c.buckets[c.bucket]; {
	case b == nil:
		return noSuchBucket
	case len(b.objects) > 0:
		return bucketNotEmpty
	}
	delete(c.buckets, c.bucket)
	return c.status(http.StatusNoContent)
}

func (c *call) location() error {
	if err := c.inBucket(); err != nil {
		return err
	}
	region := c.region
	if region == "us-east-1" {
		region = "" // as S3 says it of its first region
	}
	return c.document(struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ LocationConstraint"`
		Region  string   `xml:",chardata"`
	}{Region: region})
}

type listed struct {
	Key, LastModified, ETag string
	Size                    int64
	StorageClass            string
}

type commonPrefix struct{ Prefix string }

// list is a page of a bucket's keys.
type list struct {
	contents  []listed
	prefixes  []commonPrefix
	truncated bool
	last      string // key or common prefix
}

// listObjects is ListObjectsV2, and ListObjects where the client does not ask for it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
func (c *call) listObjects() error {
	limit, err := c.count("max-keys", 1000, 1000)
	if err != nil {
		return err
	}
	second := c.query.Get("list-type") == "2"
	after := c.query.Get("marker")
	if second {
		after = c.query.Get("start-after")
		if token := c.query.Get("continuation-token"); token != "" {
			text, err := base64.URLEncoding.DecodeString(token)
			if err != nil {
				return invalidArgument("The continuation token provided is incorrect")
			}
			after = string(text)
		}
	}
	prefix, delimiter := c.query.Get("prefix"), c.query.Get("delimiter")
	page, err := c.page(prefix, delimiter, after, limit)
	if err != nil {
		return err
	}
	text := func(s string) string { return s }
	if c.query.Get("encoding-type") == "url" {
		// A key may hold what XML cannot.
		text = func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "%2F", "/") }
	}
	for i := range page.contents {
		page.contents[i].Key = text(page.contents[i].Key)
	}
	for i := range page.prefixes {
		page.prefixes[i].Prefix = text(page.prefixes[i].Prefix)
	}
	out := struct {
		XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
		Name                  string
		Prefix                string
		Delimiter             string `xml:",omitempty"`
		Marker                *string
		NextMarker            string `xml:",omitempty"`
		StartAfter            string `xml:",omitempty"`
		ContinuationToken     string `xml:",omitempty"`
		NextContinuationToken string `xml:",omitempty"`
		KeyCount              *int
		MaxKeys               int
		EncodingType          string `xml:",omitempty"`
		IsTruncated           bool
		Contents              []listed       `xml:"Contents"`
		CommonPrefixes        []commonPrefix `xml:"CommonPrefixes"`
	}{
		Name: c.bucket, Prefix: text(prefix), Delimiter: text(delimiter), MaxKeys: limit, EncodingType: c.query.Get("encoding-type"),
		IsTruncated: page.truncated, Contents: page.contents, CommonPrefixes: page.prefixes,
	}
	switch {
	case second:
		count := len(page.contents) + len(page.prefixes)
		out.KeyCount, out.StartAfter, out.ContinuationToken = &count, text(c.query.Get("start-after")), c.query.Get("continuation-token")
		if page.truncated {
			out.NextContinuationToken = base64.URLEncoding.EncodeToString([]byte(page.last))
		}
	default:
		marker := text(after)
		if out.Marker = &marker; page.truncated && delimiter != "" {
			out.NextMarker = text(page.last)
		}
	}
	return c.document(out)
}

func (c *call) page(prefix, delimiter, after string, limit int) (list, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	b := c.buckets[c.bucket]
	if b == nil {
		return list{}, noSuchBucket
	}
	var out list
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		rest, in := strings.CutPrefix(key, prefix)
		name := key
		if delimiter != "" && in {
			if dir, _, found := strings.Cut(rest, delimiter); found {
				name = prefix + dir + delimiter
			}
		}
		// A page that ended with a common prefix is followed by what comes after all below it.
		below := delimiter != "" && strings.HasSuffix(after, delimiter) && strings.HasPrefix(key, after)
		if !in || key <= after || below || name == out.last {
			continue
		}
		if len(out.contents)+len(out.prefixes) == limit {
			out.truncated = limit > 0
			break
		}
		out.last = name
		if name != key {
			out.prefixes = append(out.prefixes, commonPrefix{name})
			continue
		}
		o := b.objects[key]
		out.contents = append(out.contents, listed{key, stamp(o.modified), o.etag(), o.size, "STANDARD"})
	}
	return out, nil
}

// count is a parameter's number, or the fallback where it is not given, and never above most.
func (c *call) count(name string, fallback, most int) (int, error) {
	text := c.query.Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if errors.Is(err, strconv.ErrRange) && !strings.HasPrefix(text, "-") {
		return most, nil
	}
	if err != nil || n < 0 {
		return 0, invalidArgument("Argument " + name + " must be an integer between 0 and 2147483647")
	}
	return min(n, most), nil
}
