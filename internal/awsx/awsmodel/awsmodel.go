// Package awsmodel reads calls of AWS by AWS's own models, the service-2.json files
// that botocore brings: which operation a request asks for, with which parameters, and
// what of them the model refuses. It knows the protocols query, ec2, json, rest-json,
// rest-xml and rpc-v2-cbor.
//
// It checks what a model says: required members, types, lengths, ranges, patterns,
// enumerations, and members that are in no model. It leaves out what stands in prose
// alone, signatures, event streams, and whether what is named exists. No model is part
// of this package: tests hand it the folder (package testdeps).
package awsmodel

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Service is the model of one service.
type Service struct {
	Metadata   Metadata
	Operations map[string]*Operation
	Shapes     map[string]*Shape
}

// Metadata says how a service is spoken to.
type Metadata struct {
	Protocol     string   // the one that botocore speaks
	Protocols    []string // all
	APIVersion   string   `json:"apiVersion"`
	TargetPrefix string   `json:"targetPrefix"`
}

// Operation is a call.
type Operation struct {
	Name       string
	HTTP       struct{ Method, RequestURI string }
	Input      *Ref
	Output     *Ref
	Errors     []Ref
	Deprecated bool
}

// Shape is a type.
type Shape struct {
	Type            string
	Members         map[string]*Ref // of a structure
	Required        []string
	Payload         string // member that is the body
	Union           bool
	Document        bool // any JSON
	EventStream     bool
	Member          *Ref // of a list
	Key, Value      *Ref // of a map
	Flattened       bool
	LocationName    string
	TimestampFormat string
	Enum            []string
	Min, Max        *float64
	Pattern         string
}

// Ref is a use of a shape, and how it is spelled there.
type Ref struct {
	Shape            string
	Location         string // uri, querystring, header, headers, statusCode; empty for the body
	LocationName     string
	QueryName        string
	ResultWrapper    string
	Flattened        bool
	XMLAttribute     bool
	JSONValue        bool // JSON as a string, in base64 where it is a header
	TimestampFormat  string
	IdempotencyToken bool
}

// Fault is a part of a call that the model refuses.
type Fault struct {
	Path    string // of members, such as Distribution.Origins.Items[0].Id
	Problem string
}

func (f Fault) String() string { return f.Path + ": " + f.Problem }

// Load reads the newest model of a service in botocore's folder of data.
func Load(data, service string) (*Service, error) {
	versions, err := filepath.Glob(filepath.Join(data, service, "*", "service-2.json*"))
	if err != nil || len(versions) == 0 {
		return nil, fmt.Errorf("no model of %s in %s", service, data)
	}
	slices.Sort(versions)
	s, err := read(versions[len(versions)-1])
	if err != nil {
		return nil, fmt.Errorf("model of %s: %w", service, err)
	}
	return s, nil
}

func read(file string) (s *Service, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(file, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, err
		}
	}
	if err := json.NewDecoder(r).Decode(&s); err != nil {
		return nil, err
	}
	extras, err := os.ReadFile(filepath.Join(filepath.Dir(file), "service-2.sdk-extras.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	return s, json.Unmarshal(extras, &struct{ Merge *Service }{s})
}

// shape is what the reference stands for; a shape that is not there is anything.
func (s *Service) shape(ref *Ref) *Shape {
	if ref != nil && s.Shapes[ref.Shape] != nil {
		return s.Shapes[ref.Shape]
	}
	return &Shape{Type: "structure"}
}

// named is how the reference is spelled in a body.
func (r *Ref) named(otherwise string) string {
	if r.LocationName != "" {
		return r.LocationName
	}
	return otherwise
}

func (s *Service) flattened(ref *Ref) bool { return ref.Flattened || s.shape(ref).Flattened }

func (s *Service) speaks(protocol string) bool {
	return s.Metadata.Protocol == protocol || slices.Contains(s.Metadata.Protocols, protocol)
}
