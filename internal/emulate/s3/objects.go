package s3

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
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

// take spools the request's body, which must have the size and digest that it says.
func (c *call) take() (content, http.Header, error) {
	body, size, header := bodyOf(c.r)
	if size < 0 {
		return content{}, nil, missingLength
	}
	if size > maxPut {
		return content{}, nil, tooLarge
	}
	if c.r.ContentLength == 0 && strings.EqualFold(c.r.Header.Get("Expect"), "100-continue") {
		// S3 says so before an empty body, too, where net/http does not. Without it botocore
		// misses the answer to the next request of its connection, and waits for a minute.
		c.w.WriteHeader(http.StatusContinue)
	}
	got, err := c.spool(io.LimitReader(body, size+1))
	if err != nil {
		return content{}, nil, err
	}
	if want := header.Get("Content-Md5"); want != "" {
		sum, bad := base64.StdEncoding.DecodeString(want)
		switch {
		case bad != nil || len(sum) != md5.Size:
			err = invalidDigest
		case [md5.Size]byte(sum) != got.md5:
			err = badDigest
		}
	}
	if got.size != size {
		err = incompleteBody
	}
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		return content{}, nil, c.reject(got, err)
	}
	return got, header, nil
}

// conditions are those of a conditional write.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func conditions(h http.Header) (func(*object) error, error) {
	none, match := h.Get("If-None-Match"), h.Get("If-Match")
	if none != "" && none != "*" {
		return nil, &failure{http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented"}
	}
	return func(old *object) error {
		switch {
		case none != "" && old != nil:
			return precondition
		case match != "" && old == nil:
			return noSuchKey
		case match != "" && strings.Trim(match, `"`) != strings.Trim(old.etag(), `"`):
			return precondition
		}
		return nil
	}, nil
}

func (c *call) putObject() error {
	check, err := conditions(c.r.Header)
	if err == nil {
		err = c.inBucket()
	}
	if err != nil {
		return err
	}
	got, header, err := c.take()
	if err != nil {
		return err
	}
	o, err := c.commit(c.bucket, c.key, got, metadataOf(header), check)
	if err != nil {
		return err
	}
	c.w.Header().Set("Etag", o.etag())
	return c.status(http.StatusOK)
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
	c.begun = true
	serveObject(c.w, c.r, o, body, set)
	return nil
}

func (c *call) deleteObject() error {
	if err := c.remove(c.bucket, c.key); err != nil {
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
		switch err := c.remove(c.bucket, one.Key); {
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
	check, err := conditions(c.r.Header)
	if err != nil {
		return err
	}
	from, body, err := c.get(bucket, key)
	if err != nil {
		return err
	}
	defer body.Close()
	got, err := c.spool(body)
	if err != nil {
		return err
	}
	metadata := from.metadata
	if replace {
		metadata = metadataOf(c.r.Header)
	}
	o, err := c.commit(c.bucket, c.key, got, metadata, check)
	if err != nil {
		return err
	}
	return c.document(struct {
		XMLName      xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CopyObjectResult"`
		LastModified string
		ETag         string
	}{LastModified: stamp(o.modified), ETag: o.etag()})
}

// stamp is a time as S3's documents have it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
