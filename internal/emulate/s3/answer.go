package s3

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// What both views of a bucket answer with: an object, or an error.

// failure is an error by its name at S3.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
type failure struct {
	status        int
	code, message string
	fields        []string // what the document says besides: names and values in turn
}

func (f *failure) Error() string { return f.code + ": " + f.message }

// with is the failure with more to say.
func (f *failure) with(fields ...string) *failure {
	more := *f
	more.fields = append(slices.Clone(f.fields), fields...)
	return &more
}

func newFailure(status int, code, message string) *failure {
	return &failure{status: status, code: code, message: message}
}

var (
	noSuchBucket     = newFailure(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
	noSuchKey        = newFailure(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	noSuchUpload     = newFailure(http.StatusNotFound, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
	precondition     = newFailure(http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	incompleteBody   = newFailure(http.StatusBadRequest, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header.")
	missingLength    = newFailure(http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header.")
	tooLarge         = newFailure(http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	badDigest        = newFailure(http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.")
	invalidDigest    = newFailure(http.StatusBadRequest, "InvalidDigest", "The Content-MD5 you specified is not valid.")
	malformed        = newFailure(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	invalidPart      = newFailure(http.StatusBadRequest, "InvalidPart", "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
	partOrder        = newFailure(http.StatusBadRequest, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.")
	partTooSmall     = newFailure(http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
	keyTooLong       = newFailure(http.StatusBadRequest, "KeyTooLongError", "Your key is too long")
	invalidRange     = newFailure(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable")
	notAllowed       = newFailure(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
	invalidURI       = newFailure(http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI.")
	bucketExists     = newFailure(http.StatusConflict, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.")
	bucketNotEmpty   = newFailure(http.StatusConflict, "BucketNotEmpty", "The bucket you tried to delete is not empty")
	corsNotEnabled   = newFailure(http.StatusForbidden, "AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.")
	corsRefused      = newFailure(http.StatusForbidden, "AccessForbidden", "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.")
	accessDenied     = newFailure(http.StatusForbidden, "AccessDenied", "Access Denied")
	illegalCopy      = newFailure(http.StatusBadRequest, "InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	digestMismatch   = newFailure(http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	chunkMismatch    = newFailure(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.")
	smallChunk       = newFailure(http.StatusForbidden, "InvalidChunkSizeError", "Only the last chunk is allowed to have a size less than 8192 bytes")
	malformedTrailer = newFailure(http.StatusBadRequest, "MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.")
	conflict         = newFailure(http.StatusConflict, "ConditionalRequestConflict", "The conditional request cannot succeed due to a conflicting operation against this resource.")
	noCORS           = newFailure(http.StatusNotFound, "NoSuchCORSConfiguration", "The CORS configuration does not exist")
	noLifecycle      = newFailure(http.StatusNotFound, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")
	internalFailure  = newFailure(http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again.")
)

func invalidArgument(message string) *failure {
	return newFailure(http.StatusBadRequest, "InvalidArgument", message)
}

func invalidRequest(message string) *failure {
	return newFailure(http.StatusBadRequest, "InvalidRequest", message)
}

func notImplemented(message string) *failure {
	return newFailure(http.StatusNotImplemented, "NotImplemented", message)
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

// text is the error document ("Error responses" in the S3 API reference).
func (f *failure) text(requestID, hostID string) string {
	var b strings.Builder
	b.WriteString(xml.Header + "<Error>")
	fields := append([]string{"Code", f.code, "Message", f.message}, f.fields...)
	fields = append(fields, "RequestId", requestID, "HostId", hostID)
	for i := 0; i+1 < len(fields); i += 2 {
		b.WriteString("<" + fields[i] + ">")
		_ = xml.EscapeText(&b, []byte(fields[i+1])) // a builder takes everything
		b.WriteString("</" + fields[i] + ">")
	}
	return b.String() + "</Error>"
}

// ofObjects are the headers of an answer with an object that no error has.
var ofObjects = append([]string{"Etag", "Last-Modified", "Content-Length", "Accept-Ranges", "X-Amz-Expiration", "X-Amz-Server-Side-Encryption"}, kept...)

// answer writes the error document.
func (f *failure) answer(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	for name := range h {
		if slices.Contains(ofObjects, name) || strings.HasPrefix(name, "X-Amz-Checksum-") || strings.HasPrefix(name, "X-Amz-Meta-") {
			h.Del(name)
		}
	}
	h.Set("Content-Type", "application/xml")
	w.WriteHeader(f.status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := io.WriteString(w, f.text(h.Get("X-Amz-Request-Id"), h.Get("X-Amz-Id-2")))
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
	refused := map[int]*failure{http.StatusPreconditionFailed: precondition.with("Condition", failedCondition(w.r.Header)), http.StatusRequestedRangeNotSatisfiable: invalidRange}[status]
	if refused == nil {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.muted = true
	_ = refused.answer(w.ResponseWriter, w.r)
}

// failedCondition is the one of a read that did not hold.
func failedCondition(h http.Header) string {
	if h.Get("If-Match") != "" {
		return "If-Match"
	}
	return "If-Unmodified-Since"
}

func (w *objectWriter) Write(p []byte) (int, error) {
	if w.muted {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}
