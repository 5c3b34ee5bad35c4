package response

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// frame is one message of an application/vnd.amazon.eventstream body. Payload is
// valid until the next call of frameReader.next.
type frame struct {
	messageType string // event, exception or error
	eventType   string // PayloadChunk or InvokeComplete; for an exception its type
	payload     []byte
}

// frameReader decodes messages as they arrive: a message is given out as soon as
// its last byte is there. The format is AWS's "event stream encoding" (Amazon
// Transcribe developer guide, and smithy.io "Amazon event stream specification").
type frameReader struct {
	r   *bufio.Reader
	buf []byte
}

// Limits of the specification: 128 KiB of headers, 24 MiB for a whole message.
const (
	maxFrameHeaders = 128 << 10
	maxFrame        = 24 << 20
	frameOverhead   = 16 // two lengths and two checksums
)

var errFrame = errors.New("malformed event stream")

func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(r, 32<<10)}
}

// next returns io.EOF at a clean end and io.ErrUnexpectedEOF inside a message.
func (f *frameReader) next() (frame, error) {
	var prelude [12]byte
	if _, err := io.ReadFull(f.r, prelude[:]); err != nil {
		return frame{}, err
	}
	total, headers := binary.BigEndian.Uint32(prelude[0:]), binary.BigEndian.Uint32(prelude[4:])
	switch {
	case crc32.ChecksumIEEE(prelude[:8]) != binary.BigEndian.Uint32(prelude[8:]):
		return frame{}, fmt.Errorf("%w: checksum of a prelude", errFrame)
	case total > maxFrame, headers > maxFrameHeaders, uint64(total) < uint64(headers)+frameOverhead:
		return frame{}, fmt.Errorf("%w: lengths %d and %d", errFrame, total, headers)
	}
	rest, err := f.read(int(total) - len(prelude))
	if err != nil {
		return frame{}, err
	}
	end := len(rest) - 4
	sum := crc32.Update(crc32.ChecksumIEEE(prelude[:]), crc32.IEEETable, rest[:end])
	if sum != binary.BigEndian.Uint32(rest[end:]) {
		return frame{}, fmt.Errorf("%w: checksum of a message", errFrame)
	}
	out := frame{payload: rest[headers:end]}
	return out, parseFrameHeaders(rest[:headers], &out)
}

// read fills the reader's buffer with n bytes. It grows with what has arrived,
// not with what a length claims.
func (f *frameReader) read(n int) ([]byte, error) {
	const step = 1 << 20
	f.buf = f.buf[:0]
	for len(f.buf) < n {
		have := len(f.buf)
		want := min(n-have, step)
		if cap(f.buf) < have+want {
			f.buf = append(make([]byte, 0, have*2+want), f.buf...)
		}
		f.buf = f.buf[:have+want]
		if _, err := io.ReadFull(f.r, f.buf[have:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return f.buf, nil
}

func parseFrameHeaders(b []byte, out *frame) error {
	for len(b) > 0 {
		n := int(b[0])
		if len(b) < n+2 {
			return fmt.Errorf("%w: header name", errFrame)
		}
		name, kind := string(b[1:1+n]), b[1+n]
		b = b[2+n:]
		size, skip := headerValueSize(kind, b)
		if size < 0 || len(b) < size {
			return fmt.Errorf("%w: value of header %q", errFrame, name)
		}
		value := b[skip:size]
		b = b[size:]
		if kind != 7 { // only strings say something here
			continue
		}
		switch name {
		case ":message-type":
			out.messageType = string(value)
		case ":event-type", ":exception-type", ":error-code":
			out.eventType = string(value)
		}
	}
	return nil
}

// headerValueSize is the encoded size of a value and how much of it is its length
// prefix; -1 for an unknown type.
func headerValueSize(kind byte, b []byte) (size, skip int) {
	switch kind {
	case 0, 1: // true, false
		return 0, 0
	case 2:
		return 1, 0
	case 3:
		return 2, 0
	case 4:
		return 4, 0
	case 5, 8: // long, timestamp
		return 8, 0
	case 6, 7: // bytes, string
		if len(b) < 2 {
			return -1, 0
		}
		return 2 + int(binary.BigEndian.Uint16(b)), 2
	case 9:
		return 16, 0
	}
	return -1, 0
}
