package s3

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strconv"
	"strings"
)

// algorithms are those of checksums, by the names of the API.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
var algorithms = map[string]func() hash.Hash{
	"CRC32":     func() hash.Hash { return crc32.NewIEEE() },
	"CRC32C":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"CRC64NVME": func() hash.Hash { return crc64.New(nvme) },
	"SHA1":      sha1.New,
	"SHA256":    sha256.New,
}

// nvme is the polynomial of the NVM Express base specification, bit-reflected.
var nvme = crc64.MakeTable(0x9a6c9329ac4bc9b5)

// byDefault is the algorithm of what comes without a checksum.
const byDefault = "CRC64NVME"

// Types of the checksum of an object in parts: of the parts' checksums, or of the bytes.
const (
	composite  = "COMPOSITE"
	fullObject = "FULL_OBJECT"
)

// checksum is that of an object or part. The zero value is none.
type checksum struct {
	algorithm string
	sum       []byte
	parts     int // of which a composite one is made; 0 is one of the bytes
}

func (c checksum) header() string { return "X-Amz-Checksum-" + c.algorithm }

// value is the checksum as headers and documents have it.
func (c checksum) value() string {
	text := base64.StdEncoding.EncodeToString(c.sum)
	if c.parts > 0 {
		text += "-" + strconv.Itoa(c.parts)
	}
	return text
}

// kind is the type of a checksum.
func (c checksum) kind() string {
	if c.parts > 0 {
		return composite
	}
	return fullObject
}

// set puts a checksum into the head of an answer.
func (c checksum) set(h http.Header) {
	if c.algorithm == "" {
		return
	}
	h.Set(c.header(), c.value())
	h.Set("X-Amz-Checksum-Type", c.kind())
}

// declared is the checksum that a request has for its body, or for all of an upload. Its
// sum is nil where it follows in the trailers.
func declared(h http.Header) (checksum, error) {
	var found []checksum
	for name := range h {
		algorithm, ok := strings.CutPrefix(strings.ToUpper(name), "X-AMZ-CHECKSUM-")
		if !ok || algorithm == "TYPE" || algorithm == "ALGORITHM" || algorithm == "MODE" {
			continue
		}
		found = append(found, checksum{algorithm: algorithm})
	}
	if trailer, ok := strings.CutPrefix(strings.ToUpper(strings.TrimSpace(h.Get("X-Amz-Trailer"))), "X-AMZ-CHECKSUM-"); ok {
		found = append(found, checksum{algorithm: trailer})
	}
	switch {
	case len(found) == 0:
		return checksum{}, nil
	case len(found) > 1:
		return checksum{}, invalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
	case algorithms[found[0].algorithm] == nil:
		return checksum{}, &failure{status: http.StatusNotImplemented, code: "NotImplemented", message: "The emulated S3 has no checksum " + found[0].algorithm}
	}
	c := found[0]
	if text := h.Get(c.header()); text != "" {
		var err error
		c.sum, err = base64.StdEncoding.DecodeString(text)
		if err != nil || len(c.sum) != algorithms[c.algorithm]().Size() {
			return c, invalidRequest("Value for " + strings.ToLower(c.header()) + " header is invalid.")
		}
	}
	return c, nil
}

// integrity is what a request says of its body, and what the body is found to be.
type integrity struct {
	header   http.Header // without what belongs to the transfer alone
	trailers http.Header // filled when the body has ended
	declared checksum
	sum      hash.Hash // of the declared algorithm, or the default
	sha256   hash.Hash // nil where the signature does not cover the body
}

// integrity reads what the request's headers say. A body without a checksum gets one of
// the algorithm otherwise.
func (c *call) integrity(header, trailers http.Header, otherwise string) (*integrity, error) {
	if text := header.Get("Content-Md5"); text != "" {
		if sum, err := base64.StdEncoding.DecodeString(text); err != nil || len(sum) != md5.Size {
			return nil, invalidDigest
		}
	}
	want, err := declared(header)
	if err != nil {
		return nil, err
	}
	i := &integrity{header: header, trailers: trailers, declared: want}
	if want.algorithm != "" {
		otherwise = want.algorithm
	}
	i.sum = algorithms[otherwise]()
	i.declared.algorithm = otherwise
	if c.signed != nil && len(c.signed.Payload) == 2*sha256.Size {
		i.sha256 = sha256.New()
	}
	return i, nil
}

func (i *integrity) Write(p []byte) (int, error) {
	i.sum.Write(p)
	if i.sha256 != nil {
		i.sha256.Write(p)
	}
	return len(p), nil
}

// check compares a body that was read, with its MD5, with what was said of it.
func (i *integrity) check(c *call, sum [md5.Size]byte) error {
	if text := i.header.Get("Content-Md5"); text != "" && text != base64.StdEncoding.EncodeToString(sum[:]) {
		return badDigest
	}
	if i.sha256 != nil {
		if got := hex.EncodeToString(i.sha256.Sum(nil)); got != c.signed.Payload {
			return digestMismatch.with("ClientComputedContentSHA256", c.signed.Payload, "S3ComputedContentSHA256", got)
		}
	}
	want := i.declared
	if i.header.Get("X-Amz-Trailer") != "" {
		late, err := declared(i.trailers)
		switch {
		case err != nil:
			return err
		case late.algorithm != want.algorithm:
			return malformedTrailer
		}
		want = late
	}
	if want.sum != nil && !bytes.Equal(want.sum, i.sum.Sum(nil)) {
		return &failure{status: http.StatusBadRequest, code: "BadDigest", message: "The " + want.algorithm + " you specified did not match the calculated checksum."}
	}
	return nil
}

// checksum of the body that was read.
func (i *integrity) checksum() checksum {
	return checksum{algorithm: i.declared.algorithm, sum: i.sum.Sum(nil)}
}
