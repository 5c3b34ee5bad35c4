package runtimetest

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadHeadVectors(t *testing.T) {
	data, err := os.ReadFile("../../../../testdata/vectors/preludes.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Read []struct {
			Name, Metadata, Body string
			Status               int
		}
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	for _, v := range doc.Read {
		stream := iotest.OneByteReader(strings.NewReader(v.Metadata + strings.Repeat("\x00", 8) + v.Body))
		head, err := ReadHead(stream)
		if err != nil || head.StatusCode != v.Status {
			t.Errorf("%s: %+v, %v", v.Name, head, err)
		}
		if body, _ := io.ReadAll(stream); string(body) != v.Body {
			t.Errorf("%s: body %q, want %q", v.Name, body, v.Body)
		}
	}
}
