package runtimetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Head is the metadata before a streamed body.
type Head struct {
	StatusCode        int                 `json:"statusCode"`
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Cookies           []string            `json:"cookies"`
}

// HTTPHeader joins the metadata's forms of headers.
func (h *Head) HTTPHeader() http.Header {
	out := http.Header{}
	for name, values := range h.MultiValueHeaders {
		for _, value := range values {
			out.Add(name, value)
		}
	}
	for name, value := range h.Headers {
		out.Add(name, value)
	}
	for _, cookie := range h.Cookies {
		out.Add("Set-Cookie", cookie)
	}
	return out
}

// ReadHead takes the metadata off a streamed answer and leaves the body unread.
func ReadHead(r io.Reader) (*Head, error) {
	var text []byte
	one := make([]byte, 1)
	for !bytes.HasSuffix(text, make([]byte, 8)) {
		if _, err := io.ReadFull(r, one); err != nil {
			return nil, fmt.Errorf("read the prelude after %q: %w", text, err)
		}
		if text = append(text, one[0]); len(text) > 16<<10 {
			return nil, errors.New("no delimiter within 16 KB")
		}
	}
	head := new(Head)
	if err := json.Unmarshal(text[:len(text)-8], head); err != nil {
		return nil, fmt.Errorf("read the metadata %q: %w", text, err)
	}
	return head, nil
}
