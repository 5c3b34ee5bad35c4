package provider

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/aproorg/sluice/internal/awsx/mototest"
	"github.com/aproorg/sluice/internal/image/registry"
)

// stage is one directory with both resources in it and the servers they need.
type stage struct {
	*tool
	registry string
	bucket   *s3mem.Backend
}

func newStage(t *testing.T, w *tool) *stage {
	t.Helper()
	s := &stage{tool: w, registry: newRegistry(t)}
	var endpoint string
	endpoint, s.bucket = newBucket(t)
	program(t, filepath.Join(w.dir, "bootstrap"), "")
	write(t, filepath.Join(w.dir, "site/index.html"), "page one")
	write(t, filepath.Join(w.dir, "site/assets/logo.svg"), "<svg>one</svg>")
	write(t, filepath.Join(w.dir, "site/assets/index.A1b2C3d4.js"), "script one")
	write(t, filepath.Join(w.dir, "main.tf"), fmt.Sprintf(`
terraform {
  required_providers {
    sluice = { source = "aproorg/sluice", version = "0.1.0" }
  }
}
provider "sluice" {
  endpoint  = %q
  cache_dir = "${path.module}/cache"
}
resource "sluice_image" "app" {
  base       = %q
  repository = "%s/app"
  bootstrap  = "${path.module}/bootstrap"
  labels     = { stage = "test" }
}
resource "sluice_site" "app" {
  source = "${path.module}/site"
  bucket = "site"
}
output "uri" { value = sluice_image.app.uri }
output "tag" { value = sluice_image.app.pushed_tag }
output "digest" { value = sluice_image.app.digest }
output "release" { value = sluice_site.app.release }
output "changes" { value = sluice_site.app.changes }
`, endpoint, base(t), s.registry))
	s.must(t, "init", "-input=false")
	return s
}

func (s *stage) keys(t *testing.T) (keys []string) {
	t.Helper()
	list, err := s.bucket.ListBucket("site", nil, noPage)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range list.Contents {
		keys = append(keys, object.Key)
	}
	return keys
}

func TestLifecycle(t *testing.T) {
	eachTool(t, func(t *testing.T, w *tool) {
		s := newStage(t, w)
		planned, changes := s.plan(t)
		if !changes || !strings.Contains(planned, `+ digest  `) || !strings.Contains(planned, `"3 new, 0 unchanged"`) || strings.Contains(planned, "digest         = (known after apply)") {
			t.Fatalf("first plan:\n%s", planned)
		}
		s.apply(t)
		first := s.outputs(t)
		if !strings.Contains(planned, first["digest"]) || !strings.Contains(planned, first["release"]) {
			t.Errorf("the plan did not know %s and %s:\n%s", first["digest"], first["release"], planned)
		}
		if there, err := (registry.Access{}).Exists(t.Context(), first["uri"]); err != nil || !there {
			t.Fatalf("image %s: %v, %v", first["uri"], there, err)
		}
		began := time.Now()
		if out, changes := s.plan(t); changes {
			t.Errorf("second plan:\n%s", out)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("a plan with nothing to do took %v", took)
		}
		s.must(t, "destroy", "-auto-approve", "-input=false")
		if left := s.keys(t); len(left) > 0 {
			t.Errorf("destroy left %v", left)
		}
		if there, err := (registry.Access{}).Exists(t.Context(), first["uri"]); err != nil || there {
			t.Errorf("destroy left the image: %v, %v", there, err)
		}
	})
}

func TestChanges(t *testing.T) {
	oneTool(t, func(t *testing.T, w *tool) {
		s := newStage(t, w)
		s.apply(t)
		first := s.outputs(t)
		write(t, filepath.Join(w.dir, "site/index.html"), "page two")
		write(t, filepath.Join(w.dir, "site/assets/index.E5f6G7h8.js"), "script two")
		if err := os.Remove(filepath.Join(w.dir, "site/assets/index.A1b2C3d4.js")); err != nil {
			t.Fatal(err)
		}
		program(t, filepath.Join(w.dir, "bootstrap"), "newer")
		out, changes := s.plan(t)
		if !changes || !strings.Contains(out, "1 new, 1 changed, 1 retired, 1 unchanged") || !strings.Contains(out, "2 to change") {
			t.Fatalf("plan:\n%s", out)
		}
		s.apply(t)
		second := s.outputs(t)
		if second["digest"] == first["digest"] || second["release"] == first["release"] {
			t.Errorf("%v, then %v", first, second)
		}
		if out, changes := s.plan(t); changes {
			t.Errorf("plan after apply:\n%s", out)
		}
		s.must(t, "destroy", "-auto-approve", "-input=false")
		for _, uri := range []string{first["uri"], second["uri"]} {
			if there, err := (registry.Access{}).Exists(t.Context(), uri); err != nil || there {
				t.Errorf("destroy left %s: %v", uri, err)
			}
		}
	})
}

// Hidden files are in the bucket only where include names them.
func TestInclude(t *testing.T) {
	oneTool(t, func(t *testing.T, w *tool) {
		s := newStage(t, w)
		write(t, filepath.Join(w.dir, "site/.env"), "SECRET=1")
		write(t, filepath.Join(w.dir, "site/.nojekyll"), "")
		if out, changes := s.plan(t); !changes || !strings.Contains(out, `"3 new, 0 unchanged, 2 left out"`) {
			t.Fatalf("plan:\n%s", out)
		}
		s.apply(t)
		if keys := s.keys(t); slices.Contains(keys, ".env") || slices.Contains(keys, ".nojekyll") {
			t.Errorf("the bucket holds %v", keys)
		}
		if out, changes := s.plan(t); changes {
			t.Errorf("plan after apply:\n%s", out)
		}
		config, err := os.ReadFile(filepath.Join(w.dir, "main.tf"))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(w.dir, "main.tf"), strings.Replace(string(config), `bucket = "site"`, "bucket = \"site\"\n  include = [\".nojekyll\"]", 1))
		if out, changes := s.plan(t); !changes || !strings.Contains(out, `"1 new, 3 unchanged, 1 left out"`) {
			t.Fatalf("plan:\n%s", out)
		}
		s.apply(t)
		if keys := s.keys(t); slices.Contains(keys, ".env") || !slices.Contains(keys, ".nojekyll") {
			t.Errorf("the bucket holds %v", keys)
		}
		if out, changes := s.plan(t); changes {
			t.Errorf("plan after apply:\n%s", out)
		}
	})
}

func TestDrift(t *testing.T) {
	oneTool(t, func(t *testing.T, w *tool) {
		s := newStage(t, w)
		s.apply(t)
		for range 2 { // the same words in the plan, and again work to do
			if _, err := s.bucket.DeleteObject("site", "assets/logo.svg"); err != nil {
				t.Fatal(err)
			}
			out, changes := s.plan(t)
			if !changes || !strings.Contains(out, "assets/logo.svg") {
				t.Fatalf("plan:\n%s", out)
			}
			s.apply(t)
			if _, err := s.bucket.HeadObject("site", "assets/logo.svg"); err != nil {
				t.Error(err)
			}
		}
		out := s.outputs(t)
		if err := errors.Join((registry.Access{}).Delete(t.Context(), out["uri"]), (registry.Access{}).Untag(t.Context(), out["tag"])); err != nil {
			t.Fatal(err)
		}
		planned, changes := s.plan(t)
		if !changes || !strings.Contains(planned, "1 to add") {
			t.Fatalf("plan:\n%s", planned)
		}
		s.apply(t)
		if out, changes := s.plan(t); changes {
			t.Errorf("plan after apply:\n%s", out)
		}
	})
}

func TestImport(t *testing.T) {
	oneTool(t, func(t *testing.T, w *tool) {
		s := newStage(t, w)
		s.apply(t)
		before := s.outputs(t)
		s.must(t, "state", "rm", "sluice_image.app", "sluice_site.app")
		s.must(t, "import", "-input=false", "sluice_image.app", before["uri"])
		s.must(t, "import", "-input=false", "sluice_site.app", "site")
		out, _ := s.plan(t)
		if !strings.Contains(out, "0 to add") || !strings.Contains(out, "0 to destroy") {
			t.Errorf("plan after import:\n%s", out)
		}
		s.apply(t)
		if after := s.outputs(t); after["uri"] != before["uri"] || after["release"] != before["release"] {
			t.Errorf("%v, then %v", before, after)
		}
		if out, changes := s.plan(t); changes {
			t.Errorf("plan after apply:\n%s", out)
		}
	})
}

// Each is an error of the plan: nothing has been changed then.
func TestBadInput(t *testing.T) {
	oneTool(t, func(t *testing.T, w *tool) {
		s := newStage(t, w)
		good, err := os.ReadFile(filepath.Join(w.dir, "main.tf"))
		if err != nil {
			t.Fatal(err)
		}
		for name, test := range map[string]struct{ from, to, want string }{
			"no such base":          {`base       = "`, `base       = "oci:absent-`, "OCI layout"},
			"other architecture":    {`labels     =`, `architecture = "arm64"` + "\nlabels =", "the image for arm64"},
			"unknown architecture":  {`labels     =`, `architecture = "mips"` + "\nlabels =", `architecture "mips"`},
			"a repository with tag": {`/app"`, `/app:v1"`, "repository"},
			"no such bootstrap":     {"/bootstrap", "/absent", "absent"},
			"no such site":          {"/site\"", "/absent\"", "absent"},
			"bad period":            {`bucket = "site"`, `bucket = "site"` + "\nkeep = \"a week\"", "write hours"},
			"bad pattern":           {`bucket = "site"`, `bucket = "site"` + "\ninclude = [\"[\"]", "not a pattern of files"},
			"bad certificates":      {`labels     =`, `ca_bundle = "x"` + "\nlabels =", "PEM"},
		} {
			write(t, filepath.Join(w.dir, "main.tf"), strings.ReplaceAll(string(good), test.from, test.to))
			out, code := s.run(t, "plan", "-input=false", "-no-color")
			if flat := strings.Join(strings.Fields(strings.ReplaceAll(out, "│", "")), " "); code != 1 || !strings.Contains(flat, test.want) {
				t.Errorf("%s: exit code %d, want %q:\n%s", name, code, test.want, out)
			}
		}
		if left := s.keys(t); len(left) > 0 {
			t.Errorf("the bucket has %v", left)
		}
	})
}

// With moto for AWS: a repository's address that exists in AWS alone, CloudFront,
// and ECR's own deletion.
func TestEmulatedAWS(t *testing.T) {
	eachTool(t, func(t *testing.T, w *tool) {
		aws := mototest.Start(t)
		aws.CreateBucket(t, "site")
		repository, distribution := aws.CreateRepository(t, "app"), aws.CreateDistribution(t)
		s := newStage(t, w)
		main, err := os.ReadFile(filepath.Join(w.dir, "main.tf"))
		if err != nil {
			t.Fatal(err)
		}
		text := string(main)
		for _, line := range []struct{ start, with string }{
			{"  endpoint ", fmt.Sprintf("  endpoint = %q\n  registry_endpoint = \"http://%s\"", aws.URL, s.registry)},
			{"  repository ", fmt.Sprintf("  repository = %q", repository)},
			{"  bucket ", fmt.Sprintf("  bucket = \"site\"\n  distribution_id = %q", distribution)},
		} {
			before, rest, _ := strings.Cut(text, line.start)
			_, after, _ := strings.Cut(rest, "\n")
			text = before + line.with + "\n" + after
		}
		write(t, filepath.Join(w.dir, "main.tf"), text)
		s.apply(t)
		if out := s.outputs(t); !strings.HasPrefix(out["uri"], repository+"@sha256:") {
			t.Errorf("uri %s", out["uri"])
		}
		write(t, filepath.Join(w.dir, "site/assets/logo.svg"), "<svg>two</svg>")
		s.apply(t)
		if paths := aws.Invalidations(t, distribution); !strings.Contains(paths, "/assets/logo.svg") {
			t.Errorf("invalidated %s", paths)
		}
		if out, changes := s.plan(t); changes {
			t.Errorf("plan after apply:\n%s", out)
		}
		s.must(t, "destroy", "-auto-approve", "-input=false")
	})
}
