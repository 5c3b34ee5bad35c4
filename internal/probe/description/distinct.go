package description

import (
	"errors"
	"fmt"
	"strings"
)

// Distinct is a request whose answers hold ids: no two of them may be equal, whichever environments give them. Environments that are clones
// of one snapshot give equal ones where an app draws them from what it had before. Without places, all that looks like an id is compared.
type Distinct struct {
	Request
	Status []int `json:"status,omitempty"` // those that are right; none is 200
	// Fields are dotted paths of JSON fields, in the body or in the first event that has the first of them.
	Fields  []string `json:"fields,omitempty"`
	Headers []string `json:"headers,omitempty"`
	Cookies []string `json:"cookies,omitempty"` // that the answer sets
	// Together is how often the request may be made at the same time; 0 is any number.
	Together int `json:"together,omitempty"`
	// Remove, if set, is made for each answer, with what was captured from that.
	Remove *Request `json:"remove,omitempty"`
}

// Named reports whether there are places.
func (d Distinct) Named() bool { return len(d.Fields)+len(d.Headers)+len(d.Cookies) > 0 }

// ParseDistinct reads PATH, or PATH#PLACE with the dotted path of a JSON field, cookie:NAME or header:NAME for a place.
func ParseDistinct(text string) (Distinct, error) {
	path, place, named := strings.Cut(text, "#")
	d := Distinct{Request: Request{Path: path}}
	if err := d.check(); err != nil {
		return Distinct{}, err
	}
	kind, name, ok := strings.Cut(place, ":")
	switch {
	case !named:
	case !ok && place != "":
		d.Fields = []string{place}
	case kind == "cookie" && name != "":
		d.Cookies = []string{name}
	case kind == "header" && name != "":
		d.Headers = []string{name}
	default:
		return Distinct{}, fmt.Errorf("%q is no place in an answer: want FIELD, cookie:NAME or header:NAME", place)
	}
	return d, nil
}

func (d Distinct) checkTogether() error {
	if d.Together < 0 || d.Together == 1 {
		return errors.New("together: want 2 or more, or 0 for any number")
	}
	return nil
}
