package deploy

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/infra"
	"github.com/google/go-cmp/cmp"
	tfjson "github.com/hashicorp/terraform-json"
)

// environment is a real root module of built-in resources, driven by a real tofu.
func environment(t *testing.T, config string) *Deployment {
	t.Helper()
	tofu, err := exec.LookPath("tofu")
	if err != nil {
		t.Skip("OpenTofu is not here: https://opentofu.org/docs/intro/install/")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := infra.Open(dir, tofu, filepath.Join(t.TempDir(), "scratch"))
	if err != nil {
		t.Fatal(err)
	}
	return &Deployment{Infra: w}
}

const oneResource = `
resource "terraform_data" "a" { input = "https://example.test" }
output "url" { value = terraform_data.a.output }
`

func TestRunGoesThroughItsStepsAndVerifies(t *testing.T) {
	d := environment(t, oneResource)
	var steps []Step
	var verified, asked string
	d.Prepare = func(context.Context) error { return nil }
	d.Progress = func(p Progress) {
		if p.Done {
			steps = append(steps, p.Step)
		}
	}
	d.Confirm = func(_ context.Context, q Question) (bool, error) { asked = q.Plan.String(); return true, nil }
	d.Verify = func(_ context.Context, url string) error { verified = url; return nil }

	result, err := d.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Step{StepPrepare, StepInit, StepPlan, StepApply, StepVerify}, steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if asked != "1 to create, 0 to change, 0 to replace, 0 to destroy" || verified != "https://example.test" || !result.Changed {
		t.Errorf("asked %q, verified %q, result %+v", asked, verified, result)
	}

	steps, asked = nil, ""
	if result, err = d.Run(t.Context()); err != nil || result.Changed || asked != "" || slices.Contains(steps, StepApply) {
		t.Errorf("a second run: %+v, %v, asked %q, steps %v", result, err, asked, steps)
	}
}

func TestDeclinedChangesNothing(t *testing.T) {
	d := environment(t, oneResource)
	d.Confirm = func(context.Context, Question) (bool, error) { return false, nil }
	if _, err := d.Run(t.Context()); !errors.Is(err, ErrDeclined) {
		t.Fatalf("error is %v", err)
	}
	if state, err := d.Infra.State(t.Context()); err != nil || state != nil {
		t.Errorf("state is %+v, %v", state, err)
	}
}

// TestEachInterruptedStepIsGoneOnWith ends a first run at each step and runs again.
func TestEachInterruptedStepIsGoneOnWith(t *testing.T) {
	for _, at := range []Step{StepInit, StepPlan, StepApply, StepVerify} {
		t.Run(string(at), func(t *testing.T) {
			d := environment(t, oneResource)
			d.Verify = func(ctx context.Context, _ string) error { return ctx.Err() }
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			d.Progress = func(p Progress) {
				if p.Step == at && !p.Done {
					cancel()
				}
			}
			if _, err := d.Run(ctx); !errors.Is(err, context.Canceled) {
				t.Fatalf("interrupted at %s: error is %v", at, err)
			}
			d.Progress = nil
			if result, err := d.Run(t.Context()); err != nil || result.URL != "https://example.test" {
				t.Errorf("the second run: %+v, %v", result, err)
			}
		})
	}
}

func TestDestroyLeavesNothing(t *testing.T) {
	d := environment(t, oneResource)
	if _, err := d.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if result, err := d.Destroy(t.Context()); err != nil || !result.Changed {
		t.Fatalf("destroy: %+v, %v", result, err)
	}
	if result, err := d.Destroy(t.Context()); err != nil || result.Changed {
		t.Errorf("a second destroy: %+v, %v", result, err)
	}
}

func TestLossesNameWhatHoldsData(t *testing.T) {
	plan := &infra.Plan{Changes: []infra.Change{
		{Address: "module.files.aws_s3_bucket.this[0]", Type: "aws_s3_bucket", Action: infra.Delete, Before: "uploads"},
		{Address: "aws_ecr_repository.api", Type: "aws_ecr_repository", Action: infra.Replace},
		{Address: "aws_s3_bucket.new", Type: "aws_s3_bucket", Action: infra.Create},
		{Address: "aws_iam_role.x", Type: "aws_iam_role", Action: infra.Delete},
	}}
	state := &tfjson.State{Values: &tfjson.StateValues{RootModule: &tfjson.StateModule{Resources: []*tfjson.StateResource{
		{Address: "aws_ecr_repository.api", AttributeValues: map[string]any{"id": "sluice-api"}},
	}}}}
	var got []string
	for _, l := range losses(plan, state) {
		got = append(got, l.String())
	}
	want := []string{"every object in bucket uploads (module.files.aws_s3_bucket.this[0])", "every image in repository sluice-api (aws_ecr_repository.api)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("losses (-want +got):\n%s", diff)
	}
}

func TestSlowResourcesSayWhatTheyWaitFor(t *testing.T) {
	if w := waitsFor("module.frontend.module.cdn.aws_cloudfront_distribution.this[0]", "create"); !strings.Contains(w, "every edge") {
		t.Errorf("the distribution waits for %q", w)
	}
	if w := waitsFor("aws_s3_bucket.a", "create"); w != "" {
		t.Errorf("a bucket waits for %q", w)
	}
}
