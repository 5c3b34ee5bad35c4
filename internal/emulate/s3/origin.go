package s3

import (
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"github.com/aproorg/sluice/internal/emulate/sigv4"
	"github.com/aproorg/sluice/internal/timeline"
)

// Origin serves /{bucket}/{key} as the buckets look to a distribution with origin
// access control. Requests must be signed by one of the keys; without keys any
// signature will do.
func (s *Store) Origin(keys ...sigv4.Key) http.Handler {
	guard := sigv4.S3{Keys: keys, Region: s.region}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serveOrigin(w, r, guard) })
}

func (s *Store) serveOrigin(w http.ResponseWriter, r *http.Request, guard sigv4.S3) {
	requestID := identify(w.Header())
	id := r.Header.Get("X-Amz-Cf-Id")
	if id == "" {
		id = requestID
	}
	emit := func(e timeline.Event) {
		e.Request, e.Hop = id, timeline.S3
		s.record.Emit(e)
	}
	emit(timeline.Event{Kind: timeline.RequestStart, Method: r.Method, Path: r.URL.RequestURI()})
	o := &originResponse{ResponseWriter: w, emit: emit}
	err := s.object(o, r, guard)
	end := timeline.Event{Kind: timeline.RequestEnd, Status: o.status, Bytes: o.bytes}
	if err != nil {
		end.Error = err.Error()
	}
	emit(end)
}

// object answers with the object, or with S3's error, and returns what went wrong
// besides: a fault here, or a client that has left.
func (s *Store) object(w *originResponse, r *http.Request, guard sigv4.S3) error {
	bucketName, key, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	key, err := url.PathUnescape(key)
	switch {
	case err != nil:
		return invalidURI.answer(w, r)
	case r.Method == http.MethodOptions:
		return corsNotEnabled.answer(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead, !signed(r), key == "":
		return accessDenied.answer(w, r)
	}
	if len(guard.Keys) > 0 {
		if _, refused := guard.Verify(r, s.now()); refused != nil {
			return (&failure{refused.Status, refused.Code, refused.Message, refused.Fields}).answer(w, r)
		}
	}
	o, body, err := s.get(bucketName, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return accessDenied.answer(w, r) // without s3:ListBucket nobody learns what is not there
	case err != nil:
		f := failureOf(err)
		answered := f.answer(w, r)
		if f == internalFailure {
			return errors.Join(err, answered)
		}
		return answered
	}
	defer body.Close()
	serveObject(w, r, o, body, nil)
	return w.err
}

// signed reports whether there is a signature such as origin access control puts on a
// request.
func signed(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
}

// originResponse tells the timeline of an answer.
type originResponse struct {
	http.ResponseWriter
	emit   func(timeline.Event)
	status int
	bytes  int64
	err    error
}

func (w *originResponse) WriteHeader(status int) {
	w.ResponseWriter.WriteHeader(status)
	if status < 200 {
		return
	}
	w.status = status
	w.emit(timeline.Event{Kind: timeline.RequestFirstByte, Status: status})
}

func (w *originResponse) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	if w.status < 400 { // a document about an error is no part of a stream
		w.emit(timeline.Event{Kind: timeline.RequestChunk, Bytes: int64(n)})
	}
	if err != nil {
		w.err = err
	}
	return n, err
}
