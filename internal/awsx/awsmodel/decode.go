package awsmodel

import (
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// decoder reads values by the model, and collects what does not fit.
type decoder struct {
	service *Service
	ec2     bool // spells as EC2 does
	faults  []Fault
}

func (d *decoder) fault(path, format string, args ...any) {
	d.faults = append(d.faults, Fault{strings.TrimPrefix(path, "."), fmt.Sprintf(format, args...)})
}

// scalar reads a value that is a text: in a form, a header, a path or an XML element.
// timestamps is the format of timestamps where the model names none.
func (d *decoder) scalar(at string, ref *Ref, text, timestamps string) any {
	shape := d.service.shape(ref)
	switch shape.Type {
	case "string", "character":
		if ref.JSONValue {
			if plain, err := base64.StdEncoding.DecodeString(text); err == nil && ref.Location == "header" {
				return string(plain)
			}
		}
		return text
	case "boolean":
		if text == "true" || text == "false" {
			return text == "true"
		}
	case "integer", "long", "short", "byte":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	case "float", "double":
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			return n
		}
	case "timestamp":
		if t, ok := timestamp(text, formatOf(ref, shape, timestamps)); ok {
			return t
		}
	case "blob":
		if b, err := base64.StdEncoding.DecodeString(text); err == nil {
			return b
		}
	}
	d.fault(at, "%q is no %s", text, shape.Type)
	return nil
}

func formatOf(ref *Ref, shape *Shape, otherwise string) string {
	for _, format := range []string{ref.TimestampFormat, shape.TimestampFormat} {
		if format != "" {
			return format
		}
	}
	return otherwise
}

func timestamp(text, format string) (time.Time, bool) {
	switch format {
	case "iso8601":
		t, err := time.Parse(time.RFC3339Nano, text)
		return t, err == nil
	case "rfc822":
		t, err := http.ParseTime(text)
		return t, err == nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	return epoch(seconds), err == nil
}

func epoch(seconds float64) time.Time {
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(math.Round(part*1e3)*1e6)).UTC()
}
