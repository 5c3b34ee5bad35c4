package graph

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/stack"
)

func TestSVGOfShippedStack(t *testing.T) {
	s, err := stack.Default()
	if err != nil {
		t.Fatal(err)
	}
	out := render(t, s)
	for _, want := range []string{s.Function.FunctionName, s.RestAPI.Name, "STREAM 15 min", "MOCK", "all else → site", "viewer-request", s.Cache.ReplicationGroupID, "S3 bucket"} {
		if !strings.Contains(out, want) {
			t.Errorf("the drawing lacks %q", want)
		}
	}
	if again := render(t, s); again != out {
		t.Error("two drawings of one stack differ")
	}
	if strings.Contains(out, "X-Origin-Verify") {
		t.Error("the drawing shows the origin's header")
	}
}

// TestNothingOverlaps: no two boxes share a point, and all stand inside the drawing.
func TestNothingOverlaps(t *testing.T) {
	s, err := stack.Default()
	if err != nil {
		t.Fatal(err)
	}
	many := *s
	for i := range 30 {
		many.RestAPI.Resources = append(many.RestAPI.Resources, stack.Resource{Path: fmt.Sprint("/r", i), Methods: s.RestAPI.Resources[0].Methods})
		many.Buckets = append(many.Buckets, stack.Bucket{Address: fmt.Sprint("b", i), Role: stack.RoleOther})
	}
	for _, s := range []*stack.Stack{s, &many, {}} {
		d := layout(s)
		bottom := d.draw(io.Discard)
		for i, a := range d.boxes {
			if a.x < 0 || a.y < 0 || a.x+column > width || a.y+a.height() > bottom {
				t.Errorf("%s stands outside", a.kind)
			}
			for _, b := range d.boxes[i+1:] {
				if a.x < b.x+column && b.x < a.x+column && a.y < b.y+b.height() && b.y < a.y+a.height() {
					t.Errorf("%s and %s overlap", a.kind, b.kind)
				}
			}
		}
	}
}

func TestWriteFails(t *testing.T) {
	if err := SVG(broken{}, &stack.Stack{}); err == nil {
		t.Error("a broken writer is not reported")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken") }

// FuzzSVG: whatever a plan names its parts, the drawing is XML.
func FuzzSVG(f *testing.F) {
	for _, seed := range []string{"librechat-dev", `<a href="x">&`, "\x00\xff", "]]>", strings.Repeat("long ", 100), "þætti"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		render(t, &stack.Stack{
			Distribution: stack.Distribution{Aliases: []string{name}, DefaultCacheBehavior: stack.CacheBehavior{PathPattern: name, TargetOriginID: name}},
			RestAPI:      stack.RestAPI{Name: name, StageName: name},
			Function:     stack.Function{FunctionName: name, ImageURI: name, Environment: map[string]string{"SLUICE_SECRETS": name, "SLUICE_CONFIG_S3": name}},
			Buckets:      []stack.Bucket{{Address: name, Bucket: name, Role: name}},
			Cache:        stack.Cache{Address: name, ReplicationGroupID: name},
		})
	})
}

// render draws, and reads the whole as XML.
func render(t *testing.T, s *stack.Stack) string {
	t.Helper()
	var out bytes.Buffer
	if err := SVG(&out, s); err != nil {
		t.Fatal(err)
	}
	for decoder := xml.NewDecoder(bytes.NewReader(out.Bytes())); ; {
		if _, err := decoder.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("not XML: %v\n%s", err, out.String())
		}
	}
	return out.String()
}

// TestPictureInTheDocs holds docs/architecture.svg to the embedded stack.
func TestPictureInTheDocs(t *testing.T) {
	s, err := stack.Default()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../docs/architecture.svg")
	if err != nil {
		t.Fatal(err)
	}
	if render(t, s) != string(want) {
		t.Error("docs/architecture.svg is of another stack: go run ./cmd/sluice graph --output docs/architecture.svg")
	}
}
