package proxyevent

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
)

type eventVector struct {
	Name  string
	Base  string
	Hops  int
	Event json.RawMessage
	Want  struct {
		Kind, Method, Target, Host, Body string
		Header                           map[string][]string
		Absent                           []string
	}
}

func load(t testing.TB, file string, into any) {
	t.Helper()
	data, err := os.ReadFile("../../../testdata/vectors/" + file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func eventVectors(t testing.TB) []eventVector {
	var doc struct{ Vectors []eventVector }
	load(t, "events.json", &doc)
	return doc.Vectors
}

func TestEventVectors(t *testing.T) {
	for _, v := range eventVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			r, err := Reader{BasePath: v.Base, ForwardedHops: v.Hops}.Read(v.Event)
			if err != nil {
				t.Fatal(err)
			}
			if r.Kind.String() != v.Want.Kind {
				t.Fatalf("kind %v, want %s", r.Kind, v.Want.Kind)
			}
			if r.Kind == Other {
				return
			}
			req := r.HTTP(t.Context(), "127.0.0.1:1")
			if got := req.URL.RequestURI(); req.Method != v.Want.Method || got != v.Want.Target {
				t.Errorf("%s %s, want %s %s", req.Method, got, v.Want.Method, v.Want.Target)
			}
			if v.Want.Host != "" && req.Host != v.Want.Host {
				t.Errorf("host %q, want %q", req.Host, v.Want.Host)
			}
			if string(r.Body) != v.Want.Body {
				t.Errorf("body %q, want %q", r.Body, v.Want.Body)
			}
			for name, want := range v.Want.Header {
				if diff := cmp.Diff(want, r.Header[name]); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
			for _, name := range v.Want.Absent {
				if r.Header[name] != nil {
					t.Errorf("%s was passed on", name)
				}
			}
		})
	}
}

// TestEventVectorsAreAWSs reads the vectors through aws-lambda-go's types: they are then of AWS's shape, and not of ours only.
func TestEventVectorsAreAWSs(t *testing.T) {
	for _, v := range eventVectors(t) {
		var into any
		switch {
		case strings.HasPrefix(v.Want.Kind, "REST"), v.Want.Kind == "HTTP API 1.0":
			into = new(events.APIGatewayProxyRequest)
		case v.Want.Kind == "HTTP API 2.0":
			into = new(events.APIGatewayV2HTTPRequest)
		case v.Want.Kind == "function URL":
			into = new(events.LambdaFunctionURLRequest)
		case strings.HasPrefix(v.Want.Kind, "load"):
			into = new(events.ALBTargetGroupRequest)
		default:
			continue
		}
		dec := json.NewDecoder(bytes.NewReader(v.Event))
		dec.DisallowUnknownFields()
		err := dec.Decode(into)
		if err != nil && !strings.Contains(err.Error(), `"version"`) && !strings.Contains(err.Error(), `"routeKey"`) { // AWS has them, the types lack them
			t.Errorf("%s: %v", v.Name, err)
		}
	}
}

func TestPreludeVectors(t *testing.T) {
	var doc struct {
		Write []struct {
			Name, Kind string
			Status     int
			Latin1     bool
			Header     http.Header
			Metadata   map[string]any
			Error      bool
		}
	}
	load(t, "preludes.json", &doc)
	kinds := map[string]Kind{}
	for k := Other; k <= ALBMulti; k++ {
		kinds[k.String()] = k
	}
	for _, v := range doc.Write {
		t.Run(v.Name, func(t *testing.T) {
			for _, values := range v.Header {
				for i, value := range values {
					if value == "REPEAT 16000" {
						values[i] = strings.Repeat("x", 16000)
					}
					if v.Latin1 {
						values[i] = latin1(value)
					}
				}
			}
			got, err := AppendPrelude(nil, kinds[v.Kind], v.Status, v.Header)
			if v.Error {
				if !errors.Is(err, ErrPreludeTooLarge) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			head, found := bytes.CutSuffix(got, make([]byte, 8))
			if !found {
				t.Fatalf("no delimiter at the end of %q", got)
			}
			var metadata map[string]any
			if err := json.Unmarshal(head, &metadata); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v.Metadata, metadata); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func latin1(s string) string {
	var out []byte
	for _, r := range s {
		out = append(out, byte(r))
	}
	return string(out)
}
