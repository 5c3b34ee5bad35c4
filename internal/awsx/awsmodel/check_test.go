package awsmodel

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/testdeps"
)

const model = `{
  "metadata": {"protocol": "rest-json"},
  "operations": {
    "PutFunction": {"name": "PutFunction", "http": {"method": "PUT", "requestUri": "/functions/{Name}"}, "input": {"shape": "Put"}},
    "PutPolicy": {"name": "PutPolicy", "http": {"method": "PUT", "requestUri": "/functions/{Name}?policy"}, "input": {"shape": "Put"}}
  },
  "shapes": {
    "Put": {"type": "structure", "required": ["Name", "Memory"], "members": {
      "Name": {"shape": "Name", "location": "uri", "locationName": "Name"},
      "Qualifier": {"shape": "Name", "location": "querystring", "locationName": "Qualifier"},
      "Memory": {"shape": "Memory"}, "Layers": {"shape": "Layers"}, "Variables": {"shape": "Variables"}, "Start": {"shape": "Start"}, "Code": {"shape": "Code"}
    }},
    "Name": {"type": "string", "min": 1, "max": 8, "pattern": "[a-z\\u002d]+"},
    "Memory": {"type": "integer", "min": 128, "max": 256},
    "Layers": {"type": "list", "max": 1, "member": {"shape": "Name"}},
    "Variables": {"type": "map", "max": 1, "key": {"shape": "Name"}, "value": {"shape": "Text"}},
    "Text": {"type": "string"},
    "Start": {"type": "string", "enum": ["now", "later"]},
    "Code": {"type": "structure", "union": true, "members": {"Image": {"shape": "Text"}, "Zip": {"shape": "Bytes"}}},
    "Bytes": {"type": "blob", "max": 3}
  }
}`

// TestFaults holds requests against a small model: each breaks one rule of it.
func TestFaults(t *testing.T) {
	service := new(Service)
	if err := json.Unmarshal([]byte(model), service); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ uri, body, faults string }{
		{"/functions/a-b", `{"Memory": 128, "Layers": ["a"], "Variables": {"a": ""}, "Start": "now", "Code": {"Zip": "YWJj"}}`, ""},
		{"/functions/a", `{}`, "Memory: this is required"},
		{"/functions/a", `{"Memory": null}`, "Memory: this is required"},
		{"/functions/A", `{"Memory": 128}`, `Name: "A" does not match [a-z\u002d]+`},
		{"/functions/aA", `{"Memory": 128}`, `Name: "aA" does not match [a-z\u002d]+`},
		{"/functions/aaaaaaaaa", `{"Memory": 128}`, "Name: 9 characters are more than 8"},
		{"/functions/a", `{"Memory": 127}`, "Memory: 127 is less than 128"},
		{"/functions/a", `{"Memory": 257}`, "Memory: 257 is more than 256"},
		{"/functions/a", `{"Memory": "128"}`, "Memory: 128 is no integer, Memory: this is required"},
		{"/functions/a", `{"Memory": 128.5}`, "Memory: 128.5 is no integer, Memory: this is required"},
		{"/functions/a", `{"Memory": 128, "memory": 1}`, "memory: no member has this name"},
		{"/functions/a", `{"Memory": 128, "Name": "a"}`, "Name: no member has this name"},
		{"/functions/a", `{"Memory": 128, "Layers": ["a", "b"]}`, "Layers: 2 items are more than 1"},
		{"/functions/a", `{"Memory": 128, "Layers": {"a": "b"}}`, "Layers: map[a:b] is no list"},
		{"/functions/a", `{"Memory": 128, "Variables": {"a": "", "b": ""}}`, "Variables: 2 entries are more than 1"},
		{"/functions/a", `{"Memory": 128, "Variables": {"1": ""}}`, `Variables.1: "1" does not match [a-z\u002d]+`},
		{"/functions/a", `{"Memory": 128, "Start": "soon"}`, `Start: "soon" is none of now, later`},
		{"/functions/a", `{"Memory": 128, "Code": {"Image": "a", "Zip": ""}}`, "Code: one member is given, not 2"},
		{"/functions/a", `{"Memory": 128, "Code": {"Zip": "YWJjZA=="}}`, "Code.Zip: 4 bytes are more than 3"},
		{"/functions/a", `{"Memory": 128, "Code": {"Zip": "%"}}`, "Code.Zip: % is no blob, Code: one member is given, not 0"},
		{"/functions/a?Qualifier=b", `{"Memory": 128}`, ""},
		{"/functions/a?Other=b", `{"Memory": 128}`, "?Other: no parameter of the query has this name"},
		{"/functions/a", `{"Memory": 128`, "the body is no JSON: unexpected EOF, Memory: this is required"},
	} {
		r, err := http.NewRequest(http.MethodPut, "http://aws"+c.uri, nil)
		if err != nil {
			t.Fatal(err)
		}
		call, faults, err := service.Request(r, []byte(c.body))
		if err != nil || call.Operation.Name != "PutFunction" {
			t.Errorf("%s %s: %v, %v", c.uri, c.body, call, err)
		}
		var said []string
		for _, fault := range faults {
			said = append(said, strings.TrimPrefix(fmt.Sprint(fault), ": "))
		}
		if got := strings.Join(said, ", "); got != c.faults {
			t.Errorf("%s %s:\n got %s\nwant %s", c.uri, c.body, got, c.faults)
		}
	}
}

// TestRoutes finds operations by the parts of a request that tell them apart.
func TestRoutes(t *testing.T) {
	service := new(Service)
	if err := json.Unmarshal([]byte(model), service); err != nil {
		t.Fatal(err)
	}
	for uri, want := range map[string]string{"/functions/a": "PutFunction", "/functions/a/": "PutFunction", "/functions/a?policy": "PutPolicy", "/functions/a?policy=": "PutPolicy",
		"/functions/a?Qualifier=b": "PutFunction", "/functions": "", "/functions/a/b": "", "/function/a": ""} {
		r, err := http.NewRequest(http.MethodPut, "http://aws"+uri, nil)
		if err != nil {
			t.Fatal(err)
		}
		call, _, err := service.Request(r, []byte(`{"Memory": 128}`))
		switch {
		case err != nil:
			if want != "" {
				t.Errorf("%s: %v", uri, err)
			}
		case call.Operation.Name != want:
			t.Errorf("%s asks for %s, not %q", uri, call.Operation.Name, want)
		}
	}
}

// TestPatterns are of Java: some look ahead, and each stands for the whole value.
func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		matches       bool
	}{
		{`[\u0009\u000A\u0020-\uD7FF]*`, "a b\n", true},
		{`a|bc`, "bc", true},
		{`a|bc`, "bcd", false},
		{`.*`, "a\nb", true},
		{`a$`, "a\n", false},
		{`(?!^[0-9]+$)([a-zA-Z0-9-_]+)`, "live", true},
		{`(?!^[0-9]+$)([a-zA-Z0-9-_]+)`, "12", false},
		{`^[!-~]{1,1024}$`, "a.b", true},
		{`[\p{L}\p{Z}\p{N}_.:/=+\-@]*`, "Þjónusta 1", true},
	} {
		compiled, err := compile(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		if matches, err := compiled.MatchString(c.text); err != nil || matches != c.matches {
			t.Errorf("%s matches %q: %v, %v", c.pattern, c.text, matches, err)
		}
	}
}

// TestPatternsOfModels: each pattern of the services that a deployment calls can be read.
func TestPatternsOfModels(t *testing.T) {
	data := filepath.Join(testdeps.Botocore(t), "data")
	n := 0
	for _, name := range []string{"acm", "apigateway", "cloudfront", "cloudwatch", "ecr", "elasticache", "iam", "kms", "lambda", "logs", "route53", "s3", "s3control", "servicediscovery", "sns", "ssm", "sts"} {
		service, err := Load(data, name)
		if err != nil {
			t.Fatal(err)
		}
		for shape, of := range service.Shapes {
			if of.Pattern == "" {
				continue
			}
			n++
			if _, err := compile(of.Pattern); err != nil {
				t.Errorf("%s:%s %s: %v", name, shape, of.Pattern, err)
			}
		}
	}
	t.Logf("%d patterns", n)
}
