// Package wire reads and writes the frames of the MongoDB wire protocol, and the
// commands and refusals inside them. It leaves out compressed messages, checksums
// (dropped, not verified) and the opcodes that MongoDB 5.1 removed, but for the
// OP_QUERY by which drivers say hello.
package wire

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
	OpQuery = 2004 // a legacy command: the first hello of some drivers
	OpMsg   = 2013 // every other command and its reply
)

const (
	headerLen = 16
	// maxMessage is the protocol's maxMessageSizeBytes, plus room for a header.
	maxMessage = 48_000_000 + 16*1024

	flagChecksum   = 1 << 0
	flagMoreToCome = 1 << 1
)

var errShort = errors.New("message ends too early")

// Message is one frame of the protocol. Body excludes the header.
type Message struct {
	RequestID  int32
	ResponseTo int32
	Opcode     int32
	Body       []byte
}

// Read reads one whole frame. It returns io.EOF only between frames.
func Read(r io.Reader) (Message, error) {
	var head [headerLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Message{}, err
	}
	length := int32(binary.LittleEndian.Uint32(head[0:]))
	if length < headerLen || length > maxMessage {
		return Message{}, fmt.Errorf("message of %d bytes is outside %d to %d", length, headerLen, maxMessage)
	}
	m := Message{
		RequestID:  int32(binary.LittleEndian.Uint32(head[4:])),
		ResponseTo: int32(binary.LittleEndian.Uint32(head[8:])),
		Opcode:     int32(binary.LittleEndian.Uint32(head[12:])),
	}
	body, err := readBody(r, int64(length-headerLen))
	if err != nil {
		return Message{}, fmt.Errorf("read message body: %w", err)
	}
	m.Body = body
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

// Write sends the frame in one Write.
func (m Message) Write(w io.Writer) error {
	b := make([]byte, headerLen, headerLen+len(m.Body))
	binary.LittleEndian.PutUint32(b[0:], uint32(headerLen+len(m.Body)))
	binary.LittleEndian.PutUint32(b[4:], uint32(m.RequestID))
	binary.LittleEndian.PutUint32(b[8:], uint32(m.ResponseTo))
	binary.LittleEndian.PutUint32(b[12:], uint32(m.Opcode))
	_, err := w.Write(append(b, m.Body...))
	return err
}

// Payload is the body of an OP_MSG: one document and any number of document
// sequences, which stand for array fields of that document.
type Payload struct {
	Flags     uint32
	Doc       bson.Raw
	Sequences []Sequence
}

// Sequence stands for the array field Name of the document beside it.
type Sequence struct {
	Name string
	Docs []bson.Raw
}

// MoreToCome reports whether the sender of p wants no reply.
func (p Payload) MoreToCome() bool { return p.Flags&flagMoreToCome != 0 }

// ParsePayload reads the body of an OP_MSG. Documents alias body and are
// checked to be well formed. A checksum is dropped, not verified, as mongod
// does over TLS.
func ParsePayload(body []byte) (Payload, error) {
	var p Payload
	if len(body) < 4 {
		return p, errShort
	}
	p.Flags = binary.LittleEndian.Uint32(body)
	rest := body[4:]
	if p.Flags&flagChecksum != 0 {
		if len(rest) < 4 {
			return p, errShort
		}
		rest = rest[:len(rest)-4]
		p.Flags &^= flagChecksum
	}
	for len(rest) > 0 {
		var err error
		if rest, err = p.section(rest); err != nil {
			return Payload{}, err
		}
	}
	if p.Doc == nil {
		return Payload{}, errors.New("OP_MSG has no body document")
	}
	return p, nil
}

// section reads one section off the front of b and returns the rest.
func (p *Payload) section(b []byte) ([]byte, error) {
	kind, b := b[0], b[1:]
	switch kind {
	case 0:
		if p.Doc != nil {
			return nil, errors.New("OP_MSG has two body documents")
		}
		doc, rest, err := takeDocument(b)
		p.Doc = doc
		return rest, err
	case 1:
		return p.sequence(b)
	}
	return nil, fmt.Errorf("OP_MSG has a section of unknown kind %d", kind)
}

func (p *Payload) sequence(b []byte) ([]byte, error) {
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
	s := Sequence{Name: name}
	for len(in) > 0 {
		var doc bson.Raw
		if doc, in, err = takeDocument(in); err != nil {
			return nil, err
		}
		s.Docs = append(s.Docs, doc)
	}
	p.Sequences = append(p.Sequences, s)
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

// Encode is the inverse of ParsePayload.
func (p Payload) Encode() []byte {
	b := binary.LittleEndian.AppendUint32(nil, p.Flags)
	b = append(b, 0)
	b = append(b, p.Doc...)
	for _, s := range p.Sequences {
		size := 4 + len(s.Name) + 1
		for _, d := range s.Docs {
			size += len(d)
		}
		b = append(b, 1)
		b = binary.LittleEndian.AppendUint32(b, uint32(size))
		b = append(append(b, s.Name...), 0)
		for _, d := range s.Docs {
			b = append(b, d...)
		}
	}
	return b
}

// ParseQuery reads the command document of a legacy OP_QUERY, which drivers
// use for the first hello of a connection only.
func ParseQuery(body []byte) (bson.Raw, error) {
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

// WithQuery returns body, an OP_QUERY that ParseQuery accepts, with another
// command document.
func WithQuery(body []byte, doc bson.Raw) []byte {
	_, rest, _ := takeCString(body[4:])
	start := len(body) - len(rest) + 8
	return append(append([]byte(nil), body[:start]...), doc...)
}
