package lambda

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

// header is a header of type string of an event stream message.
type header struct{ name, value string }

// stringHeader is the wire's number for a header value of type string.
const stringHeader = 7

// writeMessage writes one message of application/vnd.amazon.eventstream in a
// single Write: total length, headers length, CRC of those two, headers,
// payload, CRC of all before it; all integers big-endian.
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html
func writeMessage(w io.Writer, payload []byte, headers ...header) error {
	const prelude, crc = 12, 4
	size := 0
	for _, h := range headers {
		size += 1 + len(h.name) + 1 + 2 + len(h.value)
	}
	total := prelude + size + len(payload) + crc
	b := make([]byte, 0, total)
	b = binary.BigEndian.AppendUint32(b, uint32(total))
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	for _, h := range headers {
		b = append(b, byte(len(h.name)))
		b = append(b, h.name...)
		b = append(b, stringHeader)
		b = binary.BigEndian.AppendUint16(b, uint16(len(h.value)))
		b = append(b, h.value...)
	}
	b = append(b, payload...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	_, err := w.Write(b)
	return err
}

func writePayloadChunk(w io.Writer, payload []byte) error {
	return writeMessage(w, payload,
		header{":event-type", "PayloadChunk"},
		header{":content-type", "application/octet-stream"},
		header{":message-type", "event"})
}

func writeInvokeComplete(w io.Writer, payload []byte) error {
	return writeMessage(w, payload,
		header{":event-type", "InvokeComplete"},
		header{":content-type", "application/json"},
		header{":message-type", "event"})
}
