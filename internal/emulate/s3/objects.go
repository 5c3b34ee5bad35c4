package s3

import (
	"cmp"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// kept are the headers of an upload that S3 keeps with the object, besides X-Amz-Meta-*.
var kept = []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires"}

func metadataOf(h http.Header) Metadata {
	m := Metadata{}
	for _, name := range kept {
		if value := h.Get(name); value != "" {
			m.Set(name, value)
		}
	}
	for name, values := range h {
		if strings.HasPrefix(name, "X-Amz-Meta-") {
			m.Set(name, strings.Join(values, ","))
		}
	}
	return m
}

// take spools the request's body, which must have the size and digests that it says.
func (c *call) take(otherwise string) (content, http.Header, error) {
	body := transferOf(c.r, c.signed)
	if body.size < 0 {
		return content{}, nil, missingLength
	}
	if body.size > maxPut {
		return content{}, nil, tooLarge.with("ProposedSize", strconv.FormatInt(body.size, 10), "MaxSizeAllowed", strconv.Itoa(maxPut))
	}
	whole, err := c.integrity(body.header, body.trailers, otherwise)
	if err != nil {
		return content{}, nil, err
	}
	if c.r.ContentLength == 0 && strings.EqualFold(c.r.Header.Get("Expect"), "100-continue") {
		// S3 says so before an empty body, too, where net/http does not. Without it botocore
		// misses the answer to the next request of its connection, and waits for a minute.
		c.w.WriteHeader(http.StatusContinue)
	}
	got, err := c.spool(io.LimitReader(body, body.size+1), whole)
	if err != nil {
		return content{}, nil, err
	}
	if got.size != body.size {
		err = incompleteBody
	} else {
		err = whole.check(c, got.md5)
	}
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		return content{}, nil, c.reject(got, err)
	}
	got.checksum = whole.checksum()
	return got, body.header, nil
}

func (c *call) putObject() error {
	watch := c.follow(c.bucket, c.key)
	defer c.unfollow(watch)
	check, err := conditions(c.r.Header, watch)
	if err == nil {
		err = c.inBucket()
	}
	if err != nil {
		return err
	}
	got, header, err := c.take(byDefault)
	if err != nil {
		return err
	}
	o, err := c.commit(c.bucket, c.key, got, metadataOf(header), check)
	if err != nil {
		return err
	}
	c.written(o)
	return c.status(http.StatusOK)
}

// written is the head of the answer to a write.
func (c *call) written(o *object) {
	c.w.Header().Set("Etag", o.etag())
	c.w.Header().Set("X-Amz-Server-Side-Encryption", "AES256")
	o.checksum.set(c.w.Header())
	c.expires(o)
}

// overrides are parameters by which a request, a presigned one above all, sets headers of
// its answer.
var overrides = map[string]string{
	"response-cache-control": "Cache-Control", "response-content-disposition": "Content-Disposition", "response-content-encoding": "Content-Encoding",
	"response-content-language": "Content-Language", "response-content-type": "Content-Type", "response-expires": "Expires",
}

func (c *call) getObject() error {
	o, body, err := c.get(c.bucket, c.key)
	if err != nil {
		return err
	}
	defer body.Close()
	set := http.Header{}
	for parameter, name := range overrides {
		if c.query.Has(parameter) {
			set.Set(name, c.query.Get(parameter))
		}
	}
	c.expires(o)
	if strings.EqualFold(c.r.Header.Get("X-Amz-Checksum-Mode"), "ENABLED") && c.r.Header.Get("Range") == "" {
		o.checksum.set(c.w.Header())
	}
	c.begun = true
	serveObject(c.w, c.r, o, body, set)
	return nil
}

func (c *call) deleteObject() error {
	check, err := ifMatch(c.r.Header)
	if err == nil {
		err = c.remove(c.bucket, c.key, check)
	}
	if err != nil {
		return err
	}
	return c.status(http.StatusNoContent)
}

func (c *call) deleteObjects() error {
	var in struct {
		Quiet   bool
		Objects []struct{ Key string } `xml:"Object"`
	}
	if err := c.read(&in); err != nil {
		return err
	}
	if len(in.Objects) == 0 || len(in.Objects) > 1000 {
		return malformed
	}
	type deleted struct{ Key string }
	type failed struct{ Key, Code, Message string }
	var out struct {
		XMLName xml.Name  `xml:"http://s3.amazonaws.com/doc/2006-03-01/ DeleteResult"`
		Deleted []deleted `xml:"Deleted"`
		Failed  []failed  `xml:"Error"`
	}
	if err := c.inBucket(); err != nil {
		return err
	}
	for _, one := range in.Objects {
		switch err := c.remove(c.bucket, one.Key, nil); {
		case err != nil:
			out.Failed = append(out.Failed, failed{one.Key, internalFailure.code, internalFailure.message})
		case !in.Quiet:
			out.Deleted = append(out.Deleted, deleted{one.Key})
		}
	}
	return c.document(out)
}

func (c *call) copyObject() error {
	named, _, _ := strings.Cut(strings.TrimPrefix(c.r.Header.Get("X-Amz-Copy-Source"), "/"), "?")
	source, err := url.PathUnescape(named)
	bucket, key, ok := strings.Cut(source, "/")
	if err != nil || !ok || key == "" {
		return invalidArgument("Invalid copy source object key")
	}
	replace := strings.EqualFold(c.r.Header.Get("X-Amz-Metadata-Directive"), "REPLACE")
	if bucket == c.bucket && key == c.key && !replace {
		return illegalCopy
	}
	watch := c.follow(c.bucket, c.key)
	defer c.unfollow(watch)
	check, err := conditions(c.r.Header, watch)
	if err != nil {
		return err
	}
	from, body, err := c.get(bucket, key)
	if err != nil {
		return err
	}
	defer body.Close()
	sum := checksum{algorithm: cmp.Or(from.checksum.algorithm, byDefault)}
	digest := algorithms[sum.algorithm]()
	got, err := c.spool(body, digest)
	if err != nil {
		return err
	}
	sum.sum = digest.Sum(nil)
	got.checksum = sum
	metadata := from.metadata
	if replace {
		metadata = metadataOf(c.r.Header)
	}
	o, err := c.commit(c.bucket, c.key, got, metadata, check)
	if err != nil {
		return err
	}
	c.expires(o)
	return c.document(struct {
		XMLName      xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CopyObjectResult"`
		LastModified string
		ETag         string
	}{LastModified: stamp(o.modified), ETag: o.etag()})
}

// stamp is a time as S3's documents have it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
