package s3

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"strings"
)

// What both views of a bucket answer with: an object, or an error.

// failure is an error by its name at S3.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
type failure struct {
	status        int
	code, message string
}

func (f *failure) Error() string { return f.code + ": " + f.message }

var (
	noSuchBucket    = &failure{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"}
	noSuchKey       = &failure{http.StatusNotFound, "NoSuchKey", "The specified key does not exist."}
	noSuchUpload    = &failure{http.StatusNotFound, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."}
	precondition    = &failure{http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"}
	incompleteBody  = &failure{http.StatusBadRequest, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header."}
	missingLength   = &failure{http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header."}
	tooLarge        = &failure{http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size"}
	badDigest       = &failure{http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received."}
	invalidDigest   = &failure{http.StatusBadRequest, "InvalidDigest", "The Content-MD5 you specified is not valid."}
	malformed       = &failure{http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"}
	invalidPart     = &failure{http.StatusBadRequest, "InvalidPart", "One or more of the specified parts could not be found."}
	partOrder       = &failure{http.StatusBadRequest, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number."}
	partTooSmall    = &failure{http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"}
	keyTooLong      = &failure{http.StatusBadRequest, "KeyTooLongError", "Your key is too long"}
	invalidRange    = &failure{http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable"}
	notAllowed      = &failure{http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource."}
	requestExpired  = &failure{http.StatusForbidden, "AccessDenied", "Request has expired"}
	invalidURI      = &failure{http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI."}
	bucketExists    = &failure{http.StatusConflict, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it."}
	bucketNotEmpty  = &failure{http.StatusConflict, "BucketNotEmpty", "The bucket you tried to delete is not empty"}
	corsNotEnabled  = &failure{http.StatusForbidden, "AccessForbidden", "CORSResponse: CORS is not enabled for this bucket."}
	accessDenied    = &failure{http.StatusForbidden, "AccessDenied", "Access Denied"}
	illegalCopy     = &failure{http.StatusBadRequest, "InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."}
	internalFailure = &failure{http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again."}
)

func invalidArgument(message string) error {
	return &failure{http.StatusBadRequest, "InvalidArgument", message}
}

// failureOf is the failure that an error is to a client.
func failureOf(err error) *failure {
	var f *failure
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, errNoBucket):
		return noSuchBucket
	case errors.Is(err, fs.ErrNotExist):
		return noSuchKey
	case errors.Is(err, errChunk), errors.Is(err, io.ErrUnexpectedEOF):
		return incompleteBody
	}
	return internalFailure
}

type errorDocument struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	RequestID string `xml:"RequestId"`
	HostID    string `xml:"HostId"`
}

// answer writes the error document ("Error responses" in the S3 API reference).
func (f *failure) answer(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	for _, name := range append([]string{"Etag", "Last-Modified", "Content-Length", "Accept-Ranges"}, kept...) {
		h.Del(name)
	}
	h.Set("Content-Type", "application/xml")
	w.WriteHeader(f.status)
	if r.Method == http.MethodHead {
		return nil
	}
	doc, err := xml.Marshal(errorDocument{Code: f.code, Message: f.message, RequestID: h.Get("X-Amz-Request-Id"), HostID: h.Get("X-Amz-Id-2")})
	if err != nil {
		return fmt.Errorf("encode error document: %w", err)
	}
	_, err = io.WriteString(w, xml.Header+string(doc))
	return err
}

// identify says who answers, and gives the answer an ID.
func identify(h http.Header) (requestID string) {
	requestID = strings.ToUpper(hex.EncodeToString(random(8)))
	h.Set("Server", "AmazonS3")
	h.Set("X-Amz-Request-Id", requestID)
	h.Set("X-Amz-Id-2", base64.StdEncoding.EncodeToString(random(56)))
	return requestID
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// serveObject answers with an object, or a range of it, as the request's conditions
// have it. set goes over the object's own headers.
func serveObject(w http.ResponseWriter, r *http.Request, o *object, body io.ReadSeeker, set http.Header) {
	h := w.Header()
	maps.Copy(h, o.metadata)
	maps.Copy(h, set)
	h.Set("Etag", o.etag())
	h.Set("Accept-Ranges", "bytes")
	h.Set("X-Amz-Server-Side-Encryption", "AES256")
	if strings.Contains(r.Header.Get("Range"), ",") {
		r = r.Clone(r.Context())
		r.Header.Del("Range") // S3 serves one range per request and ignores more
	}
	http.ServeContent(&objectWriter{ResponseWriter: w, r: r}, r, "", o.modified, body)
}

// objectWriter replaces the plain error pages of http.ServeContent by S3's documents.
type objectWriter struct {
	http.ResponseWriter
	r     *http.Request
	muted bool // the body is not ServeContent's to write
}

func (w *objectWriter) WriteHeader(status int) {
	refused := map[int]*failure{http.StatusPreconditionFailed: precondition, http.StatusRequestedRangeNotSatisfiable: invalidRange}[status]
	if refused == nil {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.muted = true
	_ = refused.answer(w.ResponseWriter, w.r)
}

func (w *objectWriter) Write(p []byte) (int, error) {
	if w.muted {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}
