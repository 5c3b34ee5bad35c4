package cloudfront

import (
	"errors"
	"io"
	"sync"
)

// source is where the body of an answer comes from.
type source interface {
	// copy hands every piece to write as soon as it is there.
	copy(write func([]byte) error) error
	close()
}

type memorySource []byte

func (m memorySource) copy(write func([]byte) error) error {
	if len(m) == 0 {
		return nil
	}
	return write(m)
}

func (memorySource) close() {}

// streamSource is an origin's body. Where kept is set, what has passed is kept
// for the cache and handed over once the body was whole.
type streamSource struct {
	body io.ReadCloser
	kept *keeper
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

func (s *streamSource) copy(write func([]byte) error) error {
	pooled := buffers.Get().(*[]byte)
	defer buffers.Put(pooled)
	for {
		n, err := s.body.Read(*pooled)
		if n > 0 {
			s.kept.add((*pooled)[:n])
			if werr := write((*pooled)[:n]); werr != nil {
				return werr
			}
		}
		if err == io.EOF {
			s.kept.done()
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *streamSource) close() { s.body.Close() }

// keeper collects a body up to a size and stores it once it is whole: at its last
// byte where the length is known, so that whoever has read it all finds it in the
// cache. A nil keeper keeps nothing.
type keeper struct {
	body   []byte
	length int // negative: not known
	limit  int
	ended  bool // stored, or too large
	store  func(body []byte)
}

func (k *keeper) add(p []byte) {
	if k == nil || k.ended {
		return
	}
	if len(k.body)+len(p) > k.limit {
		k.ended, k.body = true, nil
		return
	}
	k.body = append(k.body, p...)
	if len(k.body) == k.length {
		k.done()
	}
}

func (k *keeper) done() {
	if k != nil && !k.ended {
		k.ended = true
		k.store(k.body)
	}
}

var errTooLarge = errors.New("body is too large")

// readAll reads a source of at most limit bytes.
func readAll(s source, limit int) ([]byte, error) {
	var out []byte
	err := s.copy(func(p []byte) error {
		if len(out)+len(p) > limit {
			return errTooLarge
		}
		out = append(out, p...)
		return nil
	})
	return out, err
}
