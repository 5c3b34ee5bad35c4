package mongo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Opcodes of the MongoDB wire protocol
// (https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/).
const (
	opReply      = 1
	opQuery      = 2004
	opCompressed = 2012
	opMsg        = 2013
)

const (
	headerLen = 16
	// maxMessage is the protocol's maxMessageSizeBytes, plus room for a header.
	maxMessage = 48_000_000 + 16*1024

	flagChecksum   = 1 << 0
	flagMoreToCome = 1 << 1
)

var errShort = errors.New("message ends too early")

// message is one frame of the protocol. body excludes the header.
type message struct {
	requestID  int32
	responseTo int32
	opcode     int32
	body       []byte
}

// readMessage reads one whole frame. It returns io.EOF only between frames.
func readMessage(r io.Reader) (message, error) {
	var head [headerLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return message{}, err
	}
	length := int32(binary.LittleEndian.Uint32(head[0:]))
	if length < headerLen || length > maxMessage {
		return message{}, fmt.Errorf("message of %d bytes is outside %d to %d", length, headerLen, maxMessage)
	}
	m := message{
		requestID:  int32(binary.LittleEndian.Uint32(head[4:])),
		responseTo: int32(binary.LittleEndian.Uint32(head[8:])),
		opcode:     int32(binary.LittleEndian.Uint32(head[12:])),
	}
	body, err := readBody(r, int64(length-headerLen))
	if err != nil {
		return message{}, fmt.Errorf("read message body: %w", err)
	}
	m.body = body
	return m, nil
}

// readBody grows with the bytes that arrive, so that a header that promises
// 48 MB costs nothing until they come.
func readBody(r io.Reader, n int64) ([]byte, error) {
	if n <= 1<<20 {
		b := make([]byte, n)
		_, err := io.ReadFull(r, b)
		return b, err
	}
	b, err := io.ReadAll(io.LimitReader(r, n))
	if err == nil && int64(len(b)) < n {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

// write sends the frame in one Write.
func (m message) write(w io.Writer) error {
	b := make([]byte, headerLen, headerLen+len(m.body))
	binary.LittleEndian.PutUint32(b[0:], uint32(headerLen+len(m.body)))
	binary.LittleEndian.PutUint32(b[4:], uint32(m.requestID))
	binary.LittleEndian.PutUint32(b[8:], uint32(m.responseTo))
	binary.LittleEndian.PutUint32(b[12:], uint32(m.opcode))
	_, err := w.Write(append(b, m.body...))
	return err
}

// payload is the body of an OP_MSG: one document and any number of document
// sequences, which stand for array fields of that document.
type payload struct {
	flags     uint32
	doc       bson.Raw
	sequences []sequence
}

type sequence struct {
	name string
	docs []bson.Raw
}

// parsePayload reads the body of an OP_MSG. Documents alias body and are
// checked to be well formed. A checksum is dropped, not verified, as mongod
// does over TLS.
func parsePayload(body []byte) (payload, error) {
	var p payload
	if len(body) < 4 {
		return p, errShort
	}
	p.flags = binary.LittleEndian.Uint32(body)
	rest := body[4:]
	if p.flags&flagChecksum != 0 {
		if len(rest) < 4 {
			return p, errShort
		}
		rest = rest[:len(rest)-4]
		p.flags &^= flagChecksum
	}
	for len(rest) > 0 {
		var err error
		if rest, err = p.section(rest); err != nil {
			return payload{}, err
		}
	}
	if p.doc == nil {
		return payload{}, errors.New("OP_MSG has no body document")
	}
	return p, nil
}

// section reads one section off the front of b and returns the rest.
func (p *payload) section(b []byte) ([]byte, error) {
	kind, b := b[0], b[1:]
	switch kind {
	case 0:
		if p.doc != nil {
			return nil, errors.New("OP_MSG has two body documents")
		}
		doc, rest, err := takeDocument(b)
		p.doc = doc
		return rest, err
	case 1:
		return p.sequence(b)
	}
	return nil, fmt.Errorf("OP_MSG has a section of unknown kind %d", kind)
}

func (p *payload) sequence(b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, errShort
	}
	size := int(int32(binary.LittleEndian.Uint32(b)))
	if size < 5 || size > len(b) {
		return nil, errShort
	}
	in, rest := b[4:size], b[size:]
	name, in, err := takeCString(in)
	if err != nil {
		return nil, err
	}
	s := sequence{name: name}
	for len(in) > 0 {
		var doc bson.Raw
		if doc, in, err = takeDocument(in); err != nil {
			return nil, err
		}
		s.docs = append(s.docs, doc)
	}
	p.sequences = append(p.sequences, s)
	return rest, nil
}

func takeDocument(b []byte) (doc bson.Raw, rest []byte, err error) {
	if len(b) < 5 {
		return nil, nil, errShort
	}
	n := int(int32(binary.LittleEndian.Uint32(b)))
	if n < 5 || n > len(b) {
		return nil, nil, errShort
	}
	doc = bson.Raw(b[:n:n])
	if err := doc.Validate(); err != nil {
		return nil, nil, fmt.Errorf("document is malformed: %w", err)
	}
	return doc, b[n:], nil
}

func takeCString(b []byte) (string, []byte, error) {
	for i, c := range b {
		if c == 0 {
			return string(b[:i]), b[i+1:], nil
		}
	}
	return "", nil, errShort
}

// encode is the inverse of parsePayload.
func (p payload) encode() []byte {
	b := binary.LittleEndian.AppendUint32(nil, p.flags)
	b = append(b, 0)
	b = append(b, p.doc...)
	for _, s := range p.sequences {
		size := 4 + len(s.name) + 1
		for _, d := range s.docs {
			size += len(d)
		}
		b = append(b, 1)
		b = binary.LittleEndian.AppendUint32(b, uint32(size))
		b = append(append(b, s.name...), 0)
		for _, d := range s.docs {
			b = append(b, d...)
		}
	}
	return b
}

// parseQuery reads the command document of a legacy OP_QUERY, which drivers
// use for the first hello of a connection only.
func parseQuery(body []byte) (bson.Raw, error) {
	if len(body) < 4 {
		return nil, errShort
	}
	_, rest, err := takeCString(body[4:])
	if err != nil {
		return nil, err
	}
	if len(rest) < 8 {
		return nil, errShort
	}
	doc, _, err := takeDocument(rest[8:])
	return doc, err
}

// withQuery returns body, an OP_QUERY that parseQuery accepts, with another
// command document.
func withQuery(body []byte, doc bson.Raw) []byte {
	_, rest, _ := takeCString(body[4:])
	start := len(body) - len(rest) + 8
	return append(append([]byte(nil), body[:start]...), doc...)
}
