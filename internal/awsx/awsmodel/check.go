package awsmodel

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

// check holds a value against what the model says of its shape.
func (d *decoder) check(at string, shape *Shape, value any) {
	switch v := value.(type) {
	case map[string]any:
		if shape.Type == "map" {
			d.size(at, shape, len(v), "entries")
			for name, item := range v {
				d.check(at+"."+name, d.service.shape(shape.Key), name)
				d.check(at+"."+name, d.service.shape(shape.Value), item)
			}
			return
		}
		d.checkStructure(at, shape, v)
	case []any:
		d.size(at, shape, len(v), "items")
		for i, item := range v {
			d.check(fmt.Sprintf("%s[%d]", at, i), d.service.shape(shape.Member), item)
		}
	case string:
		d.checkText(at, shape, v)
	case []byte:
		d.size(at, shape, len(v), "bytes")
	case int64:
		d.bounds(at, shape, float64(v))
	case float64:
		d.bounds(at, shape, v)
	}
}

func (d *decoder) checkStructure(at string, shape *Shape, v map[string]any) {
	if shape.Document {
		return
	}
	for _, member := range shape.Required {
		if v[member] == nil {
			d.fault(at+"."+member, "this is required")
		}
	}
	if shape.Union && len(v) != 1 {
		d.fault(at, "one member is given, not %d", len(v))
	}
	for member, item := range v {
		if ref := shape.Members[member]; ref != nil {
			d.check(at+"."+member, d.service.shape(ref), item)
		}
	}
}

func (d *decoder) checkText(at string, shape *Shape, text string) {
	d.size(at, shape, utf8.RuneCountInString(text), "characters")
	if len(shape.Enum) > 0 && !slices.Contains(shape.Enum, text) {
		d.fault(at, "%q is none of %s", text, strings.Join(shape.Enum, ", "))
	}
	if shape.Pattern == "" {
		return
	}
	pattern, err := compile(shape.Pattern)
	if err != nil {
		d.fault(at, "the pattern %s cannot be read here: %v", shape.Pattern, err)
		return
	}
	if ok, err := pattern.MatchString(text); err != nil || !ok {
		d.fault(at, "%.200q does not match %s", text, shape.Pattern)
	}
}

// compile reads a pattern of a model, which is one of Java's and stands for the whole value.
func compile(pattern string) (*regexp2.Regexp, error) {
	if kept, ok := compiled.Load(pattern); ok {
		return kept.(*regexp2.Regexp), nil
	}
	made, err := regexp2.Compile(`\A(?:`+fromJava.Replace(pattern)+`)\z`, regexp2.Singleline)
	if err == nil {
		compiled.Store(pattern, made)
	}
	return made, err
}

var compiled sync.Map // patterns by their text

// fromJava spells what is Java's alone as other languages do. The last is a range of
// halves of characters, which stands for all characters beyond the first plane.
var fromJava = strings.NewReplacer(`\_`, `_`, `\p{ASCII}`, `[\x00-\x7f]`, `\uD800\uDC00-\uDBFF\uDFFF`, `\x{10000}-\x{10FFFF}`)

func (d *decoder) size(at string, shape *Shape, n int, what string) {
	if shape.Min != nil && float64(n) < *shape.Min {
		d.fault(at, "%d %s are fewer than %v", n, what, *shape.Min)
	}
	if shape.Max != nil && float64(n) > *shape.Max {
		d.fault(at, "%d %s are more than %v", n, what, *shape.Max)
	}
}

func (d *decoder) bounds(at string, shape *Shape, n float64) {
	if shape.Min != nil && n < *shape.Min {
		d.fault(at, "%v is less than %v", n, *shape.Min)
	}
	if shape.Max != nil && n > *shape.Max {
		d.fault(at, "%v is more than %v", n, *shape.Max)
	}
}
