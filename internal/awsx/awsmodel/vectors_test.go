package awsmodel

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/aproorg/sluice/internal/testdeps"
)

// suite is a file's entry of botocore's vectors: a service of its own.
type suite struct {
	Metadata Metadata
	Shapes   map[string]*Shape
	Cases    []struct {
		ID         string
		Given      *Operation
		Params     map[string]any
		Serialized *struct {
			Method, URI string
			Body        *string
			Headers     map[string]string
		}
		Result   map[string]any
		Error    any
		Response *struct {
			StatusCode int `json:"status_code"`
			Headers    map[string]string
			Body       string
		}
	}
}

// unread are vectors of what this package leaves out, each with the reason.
var unread = map[string]string{
	"SDKAppendedGzipAfterProvidedEncoding_restJson1":         "an encoding that the caller made is the caller's",
	"SDKAppendsGzipAndIgnoresHttpProvidedEncoding_restJson1": "an encoding that the caller made is the caller's",
	"SDKAppendedGzipAfterProvidedEncoding_restXml":           "an encoding that the caller made is the caller's",
	"SDKAppendsGzipAndIgnoresHttpProvidedEncoding_restXml":   "an encoding that the caller made is the caller's",
	"IgnoreQueryParamsInResponse":                            "no response has a query",
	"SimpleScalarPropertiesWithXMLPreamble":                  "a text between elements is refused",
	"RpcV2CborExtraFieldsInTheBodyShouldBeSkippedByClients":  "what is in no model is refused",
	"RpcV2CborPayloadWithUnsetUnion":                         "its body is of another operation",
	"RestJsonHostWithPath":                                   "no service here is below a path",
	"RestJsonQueryPrecedence":                                "what a map loses to a parameter of the same name is not sent",
	"RestXmlQueryPrecedence":                                 "what a map loses to a parameter of the same name is not sent",
	"RestXmlHostWithPath":                                    "no service here is below a path",
}

// TestRequests decodes the requests that botocore's client has to write, and expects the
// parameters that they were made of.
func TestRequests(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testdeps.Botocore(t), "protocols", "input", "*.json"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	n := 0
	for _, file := range files {
		for _, suite := range suites(t, file) {
			operations := map[string]*Operation{}
			for _, c := range suite.Cases {
				operations[c.Given.Name] = c.Given
			}
			service := &Service{Metadata: suite.Metadata, Operations: operations, Shapes: suite.Shapes}
			for _, c := range suite.Cases {
				if c.Serialized.Headers["Content-Encoding"] == "gzip" && c.Serialized.Body == nil || unread[c.ID] != "" {
					continue
				}
				n++
				t.Run(filepath.Base(file)+"/"+c.ID, func(t *testing.T) {
					body := ""
					if c.Serialized.Body != nil {
						body = *c.Serialized.Body
					}
					if suite.Metadata.Protocol == "smithy-rpc-v2-cbor" {
						raw, _ := base64.StdEncoding.DecodeString(body)
						body = string(raw)
					}
					r, err := http.NewRequest(c.Serialized.Method, "http://aws"+c.Serialized.URI, nil)
					if err != nil {
						t.Fatal(err)
					}
					for name, value := range c.Serialized.Headers {
						r.Header.Set(name, value)
					}
					if suite.Metadata.Protocol == "json" && r.Header.Get("X-Amz-Target") == "" {
						r.Header.Set("X-Amz-Target", "."+c.Given.Name) // the vectors of hosts name none
					}
					call, faults, err := service.Request(r, []byte(body))
					if err != nil {
						t.Fatal(err)
					}
					if call.Operation.Name != c.Given.Name {
						t.Errorf("asks for %s, not %s", call.Operation.Name, c.Given.Name)
					}
					if len(faults) > 0 {
						t.Errorf("%v\n%s %s\n%s", faults, c.Serialized.Method, c.Serialized.URI, body)
					}
					want, _ := expected(service, c.Given.Input, c.Params).(map[string]any)
					likeSent(service.shape(c.Given.Input), want, call.Input)
					if diff := cmp.Diff(want, call.Input, cmpopts.EquateNaNs(), cmpopts.EquateApproxTime(1e9)); diff != "" {
						t.Errorf("%s\n%s %s %v\n%s", diff, c.Serialized.Method, c.Serialized.URI, c.Serialized.Headers, body)
					}
				})
			}
		}
	}
	t.Logf("%d requests", n)
}

// TestResponses decodes the responses that botocore's client has to read.
func TestResponses(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testdeps.Botocore(t), "protocols", "output", "*.json"))
	if err != nil || len(files) < 9 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	n := 0
	for _, file := range files {
		for _, suite := range suites(t, file) {
			service := &Service{Metadata: suite.Metadata, Shapes: suite.Shapes}
			for _, c := range suite.Cases {
				if c.Error != nil || unread[c.ID] != "" {
					continue
				}
				n++
				t.Run(filepath.Base(file)+"/"+c.ID, func(t *testing.T) {
					shape := service.shape(c.Given.Output)
					if suite.Metadata.Protocol == "query" && len(shape.Members) > 0 {
						c.Given.Output.ResultWrapper = c.Given.Name + "Result"
					}
					body := []byte(c.Response.Body)
					r := &http.Request{Header: http.Header{}}
					if suite.Metadata.Protocol == "smithy-rpc-v2-cbor" {
						body, _ = base64.StdEncoding.DecodeString(c.Response.Body)
						r.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
					}
					if suite.Metadata.Protocol == "json" {
						r.Header.Set("X-Amz-Target", "."+c.Given.Name)
					}
					header := http.Header{}
					for name, value := range c.Response.Headers {
						header.Set(name, value)
					}
					got, faults := service.Response(c.Given, r, c.Response.StatusCode, header, body)
					want, _ := expected(service, c.Given.Output, c.Result).(map[string]any)
					likeSent(shape, want, got)
					if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
						t.Errorf("%s\n%v\n%s", diff, c.Response, body)
					}
					if len(faults) > 0 {
						t.Errorf("%v\n%v\n%s", faults, c.Response, body)
					}
				})
			}
		}
	}
	t.Logf("%d responses", n)
}

func suites(t *testing.T, file string) (suites []suite) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		reader := json.NewDecoder(bytes.NewReader(data))
		reader.UseNumber()
		err = reader.Decode(&suites)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return suites
}

// expected are a vector's parameters as this package gives them.
func expected(s *Service, ref *Ref, v any) any {
	if ref == nil {
		return map[string]any{}
	}
	shape := s.shape(ref)
	if shape.Document {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		values := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			of := shape.Value
			if shape.Type == "structure" {
				of = shape.Members[name]
			}
			if of != nil && v[name] != nil {
				values[name] = expected(s, of, v[name])
			}
		}
		return values
	case []any:
		list := []any{}
		for _, item := range v {
			list = append(list, expected(s, shape.Member, item))
		}
		return list
	case string:
		switch shape.Type {
		case "blob":
			return []byte(v)
		case "float", "double":
			return map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}[v]
		}
		return v
	case json.Number:
		number, _ := v.Float64()
		switch {
		case shape.Type == "timestamp":
			return epoch(number)
		case integral(shape):
			whole, _ := v.Int64()
			return whole
		}
		return number
	}
	return v
}

// likeSent changes parameters to what of them is seen in a request: a client writes no
// empty list or map in a form, a query or a header, makes up a token that is missing,
// and leaves out of a map for the query what has a parameter of its own, and sends {} where a
// structure that is the body is missing.
func likeSent(shape *Shape, want, got map[string]any) {
	for name, ref := range shape.Members {
		if ref.IdempotencyToken && want[name] == nil {
			want[name] = got[name]
		}
		empty := false
		switch v := want[name].(type) {
		case []any:
			empty = len(v) == 0
		case map[string]any:
			empty = len(v) == 0 || ref.Location == "querystring" && got[name] == nil
		}
		if empty && got[name] == nil {
			delete(want, name)
		}
		if body, _ := got[name].(map[string]any); name == shape.Payload && body != nil && len(body) == 0 && want[name] == nil {
			want[name] = body
		}
	}
}
