package description

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Field returns a string, number or truth value at a dotted path.
func Field(data []byte, path string) (string, bool) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return "", false
	}
	for name := range strings.SplitSeq(path, ".") {
		object, ok := v.(map[string]any)
		if !ok {
			return "", false
		}
		if v, ok = object[name]; !ok {
			return "", false
		}
	}
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number, bool:
		return fmt.Sprint(v), true
	}
	return "", false
}

// HasField reports whether JSON has a field of any kind at a dotted path.
func HasField(data []byte, path string) bool {
	var v any
	if json.Unmarshal(data, &v) != nil {
		return false
	}
	for name := range strings.SplitSeq(path, ".") {
		object, _ := v.(map[string]any)
		var ok bool
		if v, ok = object[name]; !ok {
			return false
		}
	}
	return true
}
