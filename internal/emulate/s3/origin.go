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
	"net/http"
	"net/url"
	"strings"

	"github.com/aproorg/sluice/internal/timeline"
)

// Origin serves /{bucket}/{key} as the buckets look to a distribution with origin
// access control.
func (s *Store) Origin() http.Handler { return http.HandlerFunc(s.serveOrigin) }

func (s *Store) serveOrigin(w http.ResponseWriter, r *http.Request) {
	requestID := strings.ToUpper(hex.EncodeToString(random(8)))
	id := r.Header.Get("X-Amz-Cf-Id")
	if id == "" {
		id = requestID
	}
	emit := func(e timeline.Event) {
		e.Request, e.Hop = id, timeline.S3
		s.record.Emit(e)
	}
	emit(timeline.Event{Kind: timeline.RequestStart, Method: r.Method, Path: r.URL.RequestURI()})
	h := w.Header()
	h.Set("Server", "AmazonS3")
	h.Set("X-Amz-Request-Id", requestID)
	h.Set("X-Amz-Id-2", base64.StdEncoding.EncodeToString(random(56)))
	o := &originResponse{ResponseWriter: w, method: r.Method, emit: emit}
	err := s.object(o, r)
	end := timeline.Event{Kind: timeline.RequestEnd, Status: o.status, Bytes: o.bytes}
	if err != nil {
		end.Error = err.Error()
	}
	emit(end)
}

// object answers with the object, or with S3's error.
func (s *Store) object(w *originResponse, r *http.Request) error {
	bucketName, key, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	key, err := url.PathUnescape(key)
	switch {
	case err != nil:
		return w.fail(http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI.")
	case r.Method == http.MethodOptions:
		return w.fail(http.StatusForbidden, "AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.")
	case r.Method != http.MethodGet && r.Method != http.MethodHead, !signed(r), key == "":
		return w.denied()
	}
	o, body, err := s.get(bucketName, key)
	switch {
	case errors.Is(err, errNoBucket):
		return w.fail(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
	case errors.Is(err, fs.ErrNotExist):
		return w.denied() // without s3:ListBucket nobody learns what is not there
	case err != nil:
		return errors.Join(err, w.fail(http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again."))
	}
	defer body.Close()
	h := w.Header()
	for name, values := range o.metadata {
		h[name] = values
	}
	h.Set("Etag", o.etag())
	h.Set("Accept-Ranges", "bytes")
	h.Set("X-Amz-Server-Side-Encryption", "AES256")
	if strings.Contains(r.Header.Get("Range"), ",") {
		r = r.Clone(r.Context())
		r.Header.Del("Range") // S3 serves one range per request and ignores more
	}
	http.ServeContent(w, r, "", o.modified, body)
	return w.err
}

// signed reports whether origin access control has put its signature on the
// request. What the signature says is not checked.
func signed(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
}

// originResponse replaces the plain error pages of http.ServeContent by S3's
// documents, and tells the timeline.
type originResponse struct {
	http.ResponseWriter
	method string
	emit   func(timeline.Event)
	status int
	bytes  int64
	muted  bool // the body is not ServeContent's to write
	err    error
}

func (w *originResponse) WriteHeader(status int) {
	switch status {
	case http.StatusPreconditionFailed:
		w.muted = true
		w.fail(status, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
		return
	case http.StatusRequestedRangeNotSatisfiable:
		w.muted = true
		w.fail(status, "InvalidRange", "The requested range is not satisfiable")
		return
	}
	w.begin(status)
}

func (w *originResponse) begin(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
	w.emit(timeline.Event{Kind: timeline.RequestFirstByte, Status: status})
}

func (w *originResponse) Write(p []byte) (int, error) {
	if w.muted {
		return len(p), nil
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	w.emit(timeline.Event{Kind: timeline.RequestChunk, Bytes: int64(n)})
	if err != nil {
		w.err = err
	}
	return n, err
}

func (w *originResponse) denied() error {
	return w.fail(http.StatusForbidden, "AccessDenied", "Access Denied")
}

type errorDocument struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	RequestID string `xml:"RequestId"`
	HostID    string `xml:"HostId"`
}

// fail writes an error document ("Error responses" in the S3 API reference).
func (w *originResponse) fail(status int, code, message string) error {
	h := w.Header()
	for _, name := range []string{"Etag", "Last-Modified", "Content-Length", "Content-Encoding", "Cache-Control", "Accept-Ranges"} {
		h.Del(name)
	}
	h.Set("Content-Type", "application/xml")
	w.begin(status)
	if w.method == http.MethodHead {
		return nil
	}
	doc, err := xml.Marshal(errorDocument{Code: code, Message: message,
		RequestID: h.Get("X-Amz-Request-Id"), HostID: h.Get("X-Amz-Id-2")})
	if err != nil {
		return fmt.Errorf("encode error document: %w", err)
	}
	n, err := io.WriteString(w.ResponseWriter, xml.Header+string(doc))
	w.bytes += int64(n)
	return err
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}
