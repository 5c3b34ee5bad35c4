package s3

import (
	"cmp"
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
	*watch
	id       string
	metadata Metadata
	started  time.Time
	parts    map[int]part

	algorithm, kind string // of the checksum that was asked for; empty where none was
}

type part struct {
	content
	modified time.Time
}

const (
	maxParts = 10_000
	minPart  = 5 << 20 // of all parts but the last
)

// checksumOf says which checksum an upload is to have, and of which type.
func checksumOf(h http.Header) (algorithm, kind string, err error) {
	algorithm, kind = strings.ToUpper(h.Get("X-Amz-Checksum-Algorithm")), strings.ToUpper(h.Get("X-Amz-Checksum-Type"))
	lower := strings.ToLower(algorithm)
	crc := strings.HasPrefix(algorithm, "CRC")
	switch {
	case algorithm == "" && kind != "":
		return "", "", invalidRequest("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
	case algorithm == "":
		return "", "", nil
	case algorithms[algorithm] == nil:
		return "", "", invalidRequest("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
	case kind == "" && algorithm == byDefault:
		kind = fullObject
	case kind == "":
		kind = composite
	case kind != composite && kind != fullObject:
		return "", "", invalidRequest("Value for x-amz-checksum-type header is invalid.")
	case kind == composite && algorithm == byDefault, kind == fullObject && !crc:
		return "", "", invalidRequest("The " + kind + " checksum type cannot be used with the " + lower + " checksum algorithm.")
	}
	return algorithm, kind, nil
}

func (c *call) createUpload() error {
	if err := c.inBucket(); err != nil {
		return err
	}
	algorithm, kind, err := checksumOf(c.r.Header)
	if err != nil {
		return err
	}
	u := &upload{watch: c.follow(c.bucket, c.key), id: hex.EncodeToString(random(16)), metadata: metadataOf(c.r.Header), started: c.now(),
		parts: map[int]part{}, algorithm: algorithm, kind: kind}
	c.mu.Lock()
	c.uploads[u.id] = u
	c.aborts(u)
	c.mu.Unlock()
	h := c.w.Header()
	h.Set("X-Amz-Server-Side-Encryption", "AES256")
	if algorithm != "" {
		h.Set("X-Amz-Checksum-Algorithm", algorithm)
		h.Set("X-Amz-Checksum-Type", kind)
	}
	return c.document(struct {
		XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ InitiateMultipartUploadResult"`
		Bucket   string
		Key      string
		UploadID string `xml:"UploadId"`
	}{Bucket: c.bucket, Key: c.key, UploadID: u.id})
}

// upload finds the upload that the request names. The caller holds the lock.
func (c *call) upload() (*upload, error) {
	u := c.uploads[c.query.Get("uploadId")]
	if u == nil || u.bucket != c.bucket || u.key != c.key {
		return nil, noSuchUpload.with("UploadId", c.query.Get("uploadId"))
	}
	return u, nil
}

func (c *call) uploadPart() error {
	number, err := strconv.Atoi(c.query.Get("partNumber"))
	if err != nil || number < 1 || number > maxParts {
		return invalidArgument("Part number must be an integer between 1 and 10000, inclusive")
	}
	algorithm, err := c.checksumOfPart()
	if err != nil {
		return err
	}
	got, _, err := c.take(algorithm)
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
	u.parts[number] = part{got, c.now()}
	h := c.w.Header()
	h.Set("Etag", got.etag())
	h.Set("X-Amz-Server-Side-Encryption", "AES256")
	if want, _ := declared(c.r.Header); want.algorithm != "" || u.algorithm != "" {
		h.Set(got.checksum.header(), got.checksum.value())
	}
	return c.status(http.StatusOK)
}

// checksumOfPart is the algorithm for a part. S3 refuses another one than the upload's,
// and none where the object's checksum is to be made of the parts'.
func (c *call) checksumOfPart() (string, error) {
	want, err := declared(c.r.Header)
	if err != nil {
		return "", err
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	u, err := c.upload()
	if err != nil {
		return "", err
	}
	if u.algorithm != "" && want.algorithm != u.algorithm && (want.algorithm != "" || u.kind == composite) {
		return "", invalidRequest("Checksum Type mismatch occurred, expected checksum Type: " + strings.ToLower(u.algorithm) +
			", actual checksum Type: " + cmp.Or(strings.ToLower(want.algorithm), "null"))
	}
	return cmp.Or(u.algorithm, byDefault), nil
}

func (c *call) abortUpload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	u, err := c.upload()
	if err != nil {
		return err
	}
	if err := c.abandon(u); err != nil {
		return err
	}
	return c.status(http.StatusNoContent)
}

// abandon ends an upload with all of its parts. The caller holds the lock.
func (s *Store) abandon(u *upload) error {
	delete(s.uploads, u.id)
	delete(s.watches, u.watch)
	return s.discardParts(u)
}

func (s *Store) discardParts(u *upload) error {
	var errs []error
	for _, p := range u.parts {
		errs = append(errs, s.discard(p.content))
	}
	return errors.Join(errs...)
}

// wantedPart is one of those that an object is to be made of.
type wantedPart struct {
	PartNumber int
	ETag       string

	ChecksumCRC32, ChecksumCRC32C, ChecksumCRC64NVME, ChecksumSHA1, ChecksumSHA256 string
}

// checksum is what the request says for an algorithm, or for any.
func (w wantedPart) checksum(algorithm string) string {
	all := map[string]string{"CRC32": w.ChecksumCRC32, "CRC32C": w.ChecksumCRC32C, "CRC64NVME": w.ChecksumCRC64NVME, "SHA1": w.ChecksumSHA1, "SHA256": w.ChecksumSHA256}
	if algorithm != "" {
		return all[algorithm]
	}
	return w.ChecksumCRC32 + w.ChecksumCRC32C + w.ChecksumCRC64NVME + w.ChecksumSHA1 + w.ChecksumSHA256
}

func (c *call) completeUpload() error {
	var in struct {
		Parts []wantedPart `xml:"Part"`
	}
	if err := c.read(&in); err != nil {
		return err
	}
	u, err := c.takeUpload(in.Parts)
	if err != nil {
		return err
	}
	o, err := c.join(u, in.Parts)
	if err != nil {
		// The upload goes on: it may be completed anew, or aborted.
		c.mu.Lock()
		c.uploads[u.id] = u
		c.mu.Unlock()
		return err
	}
	c.mu.Lock()
	err = c.abandon(u)
	c.mu.Unlock()
	if err != nil {
		return err
	}
	c.expires(o)
	c.w.Header().Set("X-Amz-Server-Side-Encryption", "AES256")
	return c.document(completed{Location: "/" + c.bucket + "/" + c.key, Bucket: c.bucket, Key: c.key, ETag: o.etag(),
		Checksum: checksumElement(o.checksum), ChecksumType: o.checksum.kind()})
}

type completed struct {
	XMLName      xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUploadResult"`
	Location     string
	Bucket       string
	Key          string
	ETag         string
	Checksum     element
	ChecksumType string
}

// element is one whose name depends on what it holds.
type element struct {
	XMLName xml.Name
	Text    string `xml:",chardata"`
}

// checksumElement is a checksum in a document.
func checksumElement(c checksum) element {
	return element{XMLName: xml.Name{Local: "Checksum" + c.algorithm}, Text: c.value()}
}

// takeUpload takes an upload away from other requests, if its parts are as a request
// has them.
func (c *call) takeUpload(wanted []wantedPart) (*upload, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	u, err := c.upload()
	if err != nil {
		return nil, err
	}
	if kind := c.r.Header.Get("X-Amz-Checksum-Type"); kind != "" && kind != u.kind {
		return nil, invalidRequest("The upload was created using the " + cmp.Or(u.kind, "null") + " checksum mode. The complete request must use the same checksum mode.")
	}
	if err := u.check(wanted); err != nil {
		return nil, err
	}
	if said := c.r.Header.Get("X-Amz-Mp-Object-Size"); said != "" {
		var size int64
		for _, want := range wanted {
			size += u.parts[want.PartNumber].size
		}
		if said != strconv.FormatInt(size, 10) {
			return nil, invalidRequest(fmt.Sprintf("The provided 'x-amz-mp-object-size' header value %s does not match what was computed: %d", said, size))
		}
	}
	delete(c.uploads, u.id)
	return u, nil
}

// join makes an object of parts. Its entity tag is what S3 makes of the parts' digests:
// the MD5 of the MD5s, and how many.
func (c *call) join(u *upload, wanted []wantedPart) (*object, error) {
	check, err := conditions(c.r.Header, u.watch)
	if err != nil {
		return nil, err
	}
	whole := checksum{algorithm: cmp.Or(u.algorithm, byDefault)}
	tags, sums, sum := md5.New(), algorithms[whole.algorithm](), algorithms[whole.algorithm]()
	var bodies []io.Reader
	for _, want := range wanted {
		p := u.parts[want.PartNumber]
		tags.Write(p.md5[:])
		sums.Write(p.checksum.sum)
		r, err := p.open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		bodies = append(bodies, r)
	}
	got, err := c.spool(io.MultiReader(bodies...), sum)
	if err != nil {
		return nil, err
	}
	got.tag = fmt.Sprintf("%x-%d", tags.Sum(nil), len(wanted))
	if whole.sum = sum.Sum(nil); u.kind == composite {
		whole.sum, whole.parts = sums.Sum(nil), len(wanted)
	} else if said := c.r.Header.Get(whole.header()); said != "" && said != whole.value() {
		c.mu.Lock()
		defer c.mu.Unlock()
		return nil, c.reject(got, newFailure(http.StatusBadRequest, "BadDigest", "The "+strings.ToLower(whole.algorithm)+" you specified did not match the calculated checksum."))
	}
	got.checksum = whole
	return c.commit(c.bucket, c.key, got, u.metadata, check)
}

// check says what is wrong with the parts that an upload is to be made of.
func (u *upload) check(wanted []wantedPart) error {
	if len(wanted) == 0 {
		return invalidRequest("You must specify at least one part")
	}
	previous := 0
	for _, want := range wanted {
		p, ok := u.parts[want.PartNumber]
		number, sum := strconv.Itoa(want.PartNumber), want.checksum(u.algorithm)
		missing := invalidPart.with("UploadId", u.id, "PartNumber", number, "ETag", strings.Trim(want.ETag, `"`))
		switch {
		case want.PartNumber <= previous:
			return partOrder.with("UploadId", u.id)
		case !ok || !sameTag(want.ETag, p.etag()):
			return missing
		case sum == "" && u.kind == composite:
			return invalidRequest("The upload was created using a " + strings.ToLower(u.algorithm) + " checksum. The complete request must include the checksum for each part. It was missing for part " + number + " in the request.")
		case sum != "" && sum != p.checksum.value():
			return missing
		}
		previous = want.PartNumber
	}
	for _, want := range wanted[:len(wanted)-1] {
		if p := u.parts[want.PartNumber]; p.size < minPart {
			return partTooSmall.with("ETag", strings.Trim(p.etag(), `"`), "MinSizeAllowed", strconv.Itoa(minPart), "ProposedSize", strconv.FormatInt(p.size, 10), "PartNumber", strconv.Itoa(want.PartNumber))
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
		Key               string
		UploadID          string `xml:"UploadId"`
		Initiated         string
		ChecksumAlgorithm string `xml:",omitempty"`
		ChecksumType      string `xml:",omitempty"`
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
		out.Uploads = append(out.Uploads, entry{u.key, u.id, stamp(u.started), u.algorithm, u.kind})
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
		Checksum     *element
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
		ChecksumAlgorithm    string  `xml:",omitempty"`
		ChecksumType         string  `xml:",omitempty"`
		Parts                []entry `xml:"Part"`
	}{Bucket: c.bucket, Key: c.key, UploadID: u.id, PartNumberMarker: after, MaxParts: limit, ChecksumAlgorithm: u.algorithm, ChecksumType: u.kind}
	c.aborts(u)
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
		e := entry{n, stamp(p.modified), p.etag(), p.size, nil}
		if u.algorithm != "" {
			sum := checksumElement(p.checksum)
			e.Checksum = &sum
		}
		out.Parts = append(out.Parts, e)
	}
	return c.document(out)
}
