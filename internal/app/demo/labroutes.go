package demo

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	downloadSize = 20 << 20
	maxDownload  = 400 << 20 // above Lambda's 200 MB, so that the limit can be met
	maxUpload    = 64 << 20
)

func (s *Server) labRoutes() {
	s.mux.HandleFunc("POST /api/upload", s.postUpload)
	s.mux.HandleFunc("GET /api/download", getDownload)
	s.mux.HandleFunc("GET /api/work", s.getWork)
	s.mux.HandleFunc("POST /api/crash", func(w http.ResponseWriter, r *http.Request) {
		s.cfg.Log.Warn("crash on request")
		s.cfg.Crash()
		<-r.Context().Done() // the process ends before it can answer
	})
	s.mux.HandleFunc("POST /api/hang", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := s.requestContext(r)
		defer cancel()
		<-ctx.Done()
	})
}

// getWork answers after ?ms milliseconds (250 where absent), as if it had asked a database.
func (s *Server) getWork(w http.ResponseWriter, r *http.Request) {
	n, err := intParam(r, "ms", 250, 0, 60_000)
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	ctx, cancel := s.requestContext(r)
	defer cancel()
	if err := pause(ctx, time.Duration(n)*time.Millisecond, nil); err != nil {
		fail(w, http.StatusServiceUnavailable, err)
		return
	}
	reply(w, http.StatusOK, map[string]any{"environment": s.environment(), "served": s.served.Load()})
}

// part tells what arrived of an upload.
type part struct {
	Name   string `json:"name,omitempty"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// postUpload reads a multipart form or a raw body, keeps nothing of it, and says what arrived.
func (s *Server) postUpload(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	parts, err := readParts(r)
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		fail(w, http.StatusRequestEntityTooLarge, fmt.Errorf("the upload is larger than %d bytes", tooBig.Limit))
	case err != nil:
		fail(w, http.StatusBadRequest, fmt.Errorf("read the upload: %w", err))
	default:
		var total int64
		for _, p := range parts {
			total += p.Bytes
		}
		reply(w, http.StatusOK, map[string]any{"bytes": total, "parts": parts, "environment": s.environment()})
	}
}

func readParts(r *http.Request) ([]part, error) {
	form, err := r.MultipartReader()
	if errors.Is(err, http.ErrNotMultipart) {
		p, err := sumPart("", r.Body)
		return []part{p}, err
	}
	if err != nil {
		return nil, err
	}
	var parts []part
	for {
		var next *multipart.Part
		if next, err = form.NextPart(); errors.Is(err, io.EOF) {
			return parts, nil
		} else if err != nil {
			return nil, err
		}
		p, err := sumPart(next.FileName(), next)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
}

func sumPart(name string, r io.Reader) (part, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return part{Name: name, Bytes: n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

// getDownload sends ?bytes bytes (20 MB where absent) that do not compress, with their digest (RFC 9530) in the head.
func getDownload(w http.ResponseWriter, r *http.Request) {
	n, err := intParam(r, "bytes", downloadSize, 0, maxDownload)
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.Itoa(n))
	h.Set("Content-Disposition", `attachment; filename="demo.bin"`)
	h.Set("Repr-Digest", reprDigest(n))
	h.Set("Last-Modified", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Format(http.TimeFormat))
	io.CopyN(w, &noise{}, int64(n)) // a client that has left needs no error
}

// noise is an endless, fixed, incompressible stream of bytes (xorshift64*).
type noise struct {
	state uint64
	left  [8]byte
	have  int
}

func (z *noise) Read(p []byte) (int, error) {
	if z.state == 0 {
		z.state = 0x9E3779B97F4A7C15
	}
	for i := range p {
		if z.have == 0 {
			z.state ^= z.state >> 12
			z.state ^= z.state << 25
			z.state ^= z.state >> 27
			v := z.state * 0x2545F4914F6CDD1D
			for k := range z.left {
				z.left[k] = byte(v >> (8 * k))
			}
			z.have = 8
		}
		p[i] = z.left[8-z.have]
		z.have--
	}
	return len(p), nil
}

var digests sync.Map // number of bytes -> Repr-Digest, for to sum 20 MB takes longer than the first byte may

func reprDigest(n int) string {
	if d, ok := digests.Load(n); ok {
		return d.(string)
	}
	h := sha256.New()
	io.CopyN(h, &noise{}, int64(n))
	d := "sha-256=:" + base64.StdEncoding.EncodeToString(h.Sum(nil)) + ":"
	digests.Store(n, d)
	return d
}

// intParam reads a number from the query, within bounds.
func intParam(r *http.Request, name string, absent, low, high int) (int, error) {
	v := r.URL.Query().Get(name)
	if v == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%s=%q is not a number from %d to %d", name, v, low, high)
	}
	return n, nil
}
