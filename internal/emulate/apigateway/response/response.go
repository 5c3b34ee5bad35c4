// Package response reads what a Lambda function answers to a proxy integration:
// whole, or as a stream of frames with metadata before the body.
//
// It models: frames of application/vnd.amazon.eventstream; the streaming metadata
// and its delimiter, cut anywhere, within 16 KB; the merging of header maps and
// cookies; errors of the function half way.
//
// It refuses metadata without a status code, with unknown fields or with a delimiter
// that ends past 16,000 bytes: AWS says "16 KB" and no more.
//
// It leaves out which headers reach the client (package apigateway remaps them), and
// cannot know how API Gateway looks to a client when a stream fails half way.
//
// Sources: API Gateway developer guide, "Output format of a Lambda function for
// proxy integration" and "Response streaming"; smithy.io, "Amazon event stream
// specification".
package response

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// FunctionError is what the function or its runtime reported.
type FunctionError struct {
	Code    string `json:"ErrorCode"`
	Details string `json:"ErrorDetails"`
}

func (e FunctionError) Error() string { return "function failed: " + e.Code + " " + e.Details }

// Parse reads a response that is there as a whole.
func Parse(payload []byte) (head *Head, body []byte, err error) {
	r, err := parseProxyResponse(payload)
	if err != nil {
		return nil, nil, err
	}
	if head, err = r.head(); err != nil {
		return nil, nil, err
	}
	if body, err = r.bytes(); err != nil {
		return nil, nil, err
	}
	return head, body, nil
}

func (r *proxyResponse) bytes() ([]byte, error) {
	switch {
	case r.Body == nil:
		return nil, nil
	case !r.IsBase64Encoded:
		return []byte(*r.Body), nil
	}
	b, err := base64.StdEncoding.DecodeString(*r.Body)
	if err != nil {
		return nil, fmt.Errorf("response body: %w", err)
	}
	return b, nil
}

// Stream reads a response as it comes.
type Stream struct {
	frames  *frameReader
	prelude preludeParser
}

// NewStream reads the body of Lambda's answer to InvokeWithResponseStream.
func NewStream(r io.Reader) *Stream { return &Stream{frames: newFrameReader(r)} }

// Next waits for a frame and returns what it brings: the head, once; a piece of the
// body, valid until the next call; or neither. Its error is io.EOF at the end of a
// whole response, and a [FunctionError] where the function failed.
func (s *Stream) Next() (head *Head, body []byte, err error) {
	f, err := s.frames.next()
	switch {
	case err == io.EOF:
		return nil, nil, errors.New("stream ended without InvokeComplete")
	case err != nil:
		return nil, nil, fmt.Errorf("read the function's stream: %w", err)
	case f.messageType == "exception" || f.messageType == "error":
		return nil, nil, FunctionError{Code: f.eventType, Details: string(f.payload)}
	case f.eventType == "InvokeComplete":
		return nil, nil, s.completed(f.payload)
	case f.eventType != "PayloadChunk":
		return nil, nil, nil
	case s.prelude.done:
		return nil, f.payload, nil
	}
	return s.prelude.feed(f.payload)
}

func (s *Stream) completed(payload []byte) error {
	var e FunctionError
	if len(payload) > 0 {
		if err := json.Unmarshal(payload, &e); err != nil {
			return fmt.Errorf("InvokeComplete: %w", err)
		}
	}
	switch {
	case e.Code != "":
		return e
	case !s.prelude.done:
		return errNoPrelude
	}
	return io.EOF
}
