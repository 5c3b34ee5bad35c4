package settings

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aproorg/sluice/internal/dotenv"
)

// SecretRef is a variable and the parameter that it comes from.
type SecretRef struct{ Variable, Parameter string }

func (r SecretRef) String() string { return r.Variable + "=" + r.Parameter }

// ParseSecrets reads SLUICE_SECRETS: NAME=parameter, divided by commas or white space. Beside an error, which lists what cannot be read, it
// returns the references that can.
func ParseSecrets(text string) ([]SecretRef, error) {
	var refs []SecretRef
	var errs []error
	for _, f := range fields(text) {
		name, parameter, ok := strings.Cut(f, "=")
		switch {
		case !ok || parameter == "":
			errs = append(errs, fmt.Errorf("%q is not NAME=parameter", f))
		case !dotenv.IsName(name):
			errs = append(errs, noName(name))
		case slices.ContainsFunc(refs, func(r SecretRef) bool { return r.Variable == name }):
			errs = append(errs, fmt.Errorf("%s is there twice", name))
		default:
			refs = append(refs, SecretRef{name, parameter})
		}
	}
	return refs, errors.Join(errs...)
}

// Object is an object in S3. The zero value is none.
type Object struct{ Bucket, Key string }

func (o Object) String() string { return "s3://" + o.Bucket + "/" + o.Key }

// ParseObject reads s3://bucket/key.
func ParseObject(text string) (Object, error) {
	rest, ok := strings.CutPrefix(text, "s3://")
	bucket, key, _ := strings.Cut(rest, "/")
	if !ok || bucket == "" || key == "" {
		return Object{}, fmt.Errorf("%q is not s3://bucket/key", text)
	}
	return Object{bucket, key}, nil
}

// ParsePrefix reads s3://bucket/prefix/, where the prefix may be empty.
func ParsePrefix(text string) (Object, error) {
	rest, ok := strings.CutPrefix(text, "s3://")
	bucket, prefix, slash := strings.Cut(rest, "/")
	if !ok || bucket == "" || !slash || prefix != "" && !strings.HasSuffix(prefix, "/") {
		return Object{}, fmt.Errorf("%q is not s3://bucket/prefix/ with a slash at its end", text)
	}
	return Object{bucket, prefix}, nil
}

// Replacement is made wherever From stands in the configuration.
type Replacement struct{ From, To string }

func (r Replacement) String() string { return r.From + "=" + r.To }

// ParseReplacements reads FROM=TO, divided by commas.
func ParseReplacements(text string) ([]Replacement, error) {
	var all []Replacement
	for f := range strings.SplitSeq(text, ",") {
		if f = strings.TrimSpace(f); f == "" {
			continue
		}
		from, to, ok := strings.Cut(f, "=")
		if !ok || from == "" {
			return nil, fmt.Errorf("%q is not FROM=TO", f)
		}
		all = append(all, Replacement{from, to})
	}
	return all, nil
}

// Expectation is what a configuration says at its top level: the key, with this value or, where that is empty, with any.
type Expectation struct{ Key, Value string }

func (e Expectation) String() string {
	if e.Value == "" {
		return e.Key
	}
	return e.Key + "=" + e.Value
}

// ParseExpectations reads KEY or KEY=VALUE, divided by commas.
func ParseExpectations(text string) ([]Expectation, error) {
	var all []Expectation
	for _, f := range fields(text) {
		key, value, _ := strings.Cut(f, "=")
		if key == "" {
			return nil, fmt.Errorf("%q is not KEY or KEY=VALUE", f)
		}
		all = append(all, Expectation{key, value})
	}
	return all, nil
}

func fields(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' || r == '\r' })
}

func noName(text string) error { return fmt.Errorf("%q is not the name of a variable", text) }
