package infra

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opentofu/tofudl"
	"github.com/opentofu/tofudl/mockmirror"
)

// workspace opens a module of built-in resources, which needs no provider.
func workspace(t *testing.T, config string) *Workspace {
	t.Helper()
	tofu, err := exec.LookPath("tofu")
	if err != nil {
		t.Skip("OpenTofu is not here: https://opentofu.org/docs/intro/install/")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := Open(dir, tofu, filepath.Join(t.TempDir(), "scratch"))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestPlanApplyDestroy(t *testing.T) {
	w := workspace(t, `
variable "greeting" { type = string }
resource "terraform_data" "a" { input = var.greeting }
output "said" { value = terraform_data.a.output }
`)
	file := filepath.Join(t.TempDir(), "plan")
	opts := PlanOptions{Out: file, Vars: map[string]string{"greeting": "hello"}}

	plan, err := w.Plan(t.Context(), opts, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Change{{Address: "terraform_data.a", Type: "terraform_data", Action: Create}}, plan.Changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
		t.Errorf("plan file has mode %v", info.Mode())
	}

	var types []string
	if err := w.Apply(t.Context(), plan, func(e Event) { types = append(types, e.Type) }); err != nil {
		t.Fatal(err)
	}
	if all := strings.Join(types, " "); !strings.Contains(all, "apply_start") || !strings.Contains(all, "apply_complete") {
		t.Errorf("events are %s", all)
	}
	outputs, err := w.Outputs(t.Context())
	if diff := cmp.Diff(map[string]string{"said": "hello"}, outputs); err != nil || diff != "" {
		t.Errorf("outputs: %v (-want +got):\n%s", err, diff)
	}
	if again, err := w.Plan(t.Context(), opts, nil); err != nil || !again.Empty() {
		t.Errorf("second plan: %v, %v", again, err)
	}

	opts.Destroy = true
	plan, err = w.Plan(t.Context(), opts, nil)
	if err != nil || plan.Count(Delete) != 1 {
		t.Fatalf("plan to destroy: %v, %v", plan, err)
	}
	if err := w.Apply(t.Context(), plan, nil); err != nil {
		t.Fatal(err)
	}
	if state, err := w.State(t.Context()); err != nil || (state != nil && len(state.Values.RootModule.Resources) > 0) {
		t.Errorf("state after destroy: %+v, %v", state, err)
	}
}

// TestVariableOfFileAndCommandLine: the command line's value goes before the file's, and what was
// planned by it is applied, by each program of SLUICE_TERRAFORMS (a list as PATH is) and by those of PATH.
func TestVariableOfFileAndCommandLine(t *testing.T) {
	programs := filepath.SplitList(os.Getenv("SLUICE_TERRAFORMS"))
	for _, name := range []string{"tofu", "terraform"} {
		if path, err := exec.LookPath(name); err == nil {
			programs = append(programs, path)
		}
	}
	if len(programs) == 0 {
		t.Skip("neither OpenTofu nor Terraform is here: https://opentofu.org/docs/intro/install/")
	}
	for _, program := range programs {
		dir := t.TempDir()
		for name, text := range map[string]string{
			"main.tf":               "variable \"image\" {}\noutput \"image\" { value = var.image }\nresource \"terraform_data\" \"a\" { input = var.image }\n",
			"terraform.tfvars.json": `{"image": "of the file"}`,
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w, err := Open(dir, program, filepath.Join(t.TempDir(), "scratch"))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Init(t.Context()); err != nil {
			t.Fatalf("%s: %v", program, err)
		}
		plan, err := w.Plan(t.Context(), PlanOptions{Out: w.PlanFile(), Vars: map[string]string{"image": "of the command line"}}, nil)
		if err != nil {
			t.Fatalf("%s: %v", program, err)
		}
		var faults []string
		err = w.Apply(t.Context(), plan, func(e Event) {
			if e.Severity == "error" {
				faults = append(faults, e.Message)
			}
		})
		if err != nil || len(faults) > 0 {
			t.Errorf("%s: %v, %v", program, err, faults)
			continue
		}
		if outputs, err := w.Outputs(t.Context()); err != nil || outputs["image"] != "of the command line" {
			t.Errorf("%s: %v, %v", program, outputs, err)
		}
	}
}

func TestApplyIsInterruptedAndGoesOn(t *testing.T) {
	w := workspace(t, `
resource "terraform_data" "first" {}
resource "terraform_data" "slow" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" { command = "sleep 30" }
}`)
	file := filepath.Join(t.TempDir(), "plan")
	plan, err := w.Plan(t.Context(), PlanOptions{Out: file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	began := time.Now()
	err = w.Apply(ctx, plan, func(e Event) {
		if e.Type == "provision_start" {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "go on") {
		t.Fatalf("error is %v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the interruption took %v", took)
	}
	plan, err = w.Plan(t.Context(), PlanOptions{Out: file}, nil)
	if err != nil {
		t.Fatalf("plan after an interruption: %v", err)
	}
	for _, c := range plan.Changes {
		if c.Address == "terraform_data.first" {
			t.Errorf("%s is planned again: what was made was lost", c.Address)
		}
	}
}

// TestPlansOfTwoRuns: of two runs in one environment neither removes the other's plan, and
// what a killed run has left goes with the next.
func TestPlansOfTwoRuns(t *testing.T) {
	w := &Workspace{program: program{scratch: t.TempDir()}}
	over := exec.CommandContext(t.Context(), "true")
	if err := over.Run(); err != nil {
		t.Skip(err)
	}
	another, left := w.program.scratch+"/plan-"+strconv.Itoa(os.Getppid()), w.program.scratch+"/plan-"+strconv.Itoa(over.Process.Pid)
	for _, file := range []string{w.PlanFile(), another, left} {
		if err := private(file); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Forget(); err != nil {
		t.Fatal(err)
	}
	if kept, _ := filepath.Glob(filepath.Join(w.program.scratch, "*")); !slices.Equal(kept, []string{another}) {
		t.Errorf("left %v, not only the plan of the run that goes on", kept)
	}
}

// TestWarningBeforeTheDocument: a CLI configuration that OpenTofu warns of is no fault.
func TestWarningBeforeTheDocument(t *testing.T) {
	w := workspace(t, `resource "terraform_data" "a" {}`)
	t.Setenv("TF_CLI_CONFIG_FILE", filepath.Join(t.TempDir(), "not-there"))
	plan, err := w.Plan(t.Context(), PlanOptions{Out: w.PlanFile()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Apply(t.Context(), plan, nil); err != nil {
		t.Fatal(err)
	}
	if state, err := w.State(t.Context()); err != nil || state == nil {
		t.Errorf("the state reads as %v, %v", state, err)
	}
}

func TestFaultsAreToldInTheProgramsWords(t *testing.T) {
	w := workspace(t, `resource "terraform_data" "a" { input = var.nowhere }`)
	_, err := w.Plan(t.Context(), PlanOptions{Out: filepath.Join(t.TempDir(), "plan")}, nil)
	if err == nil || !strings.Contains(err.Error(), "undeclared") || !strings.Contains(err.Error(), "main.tf:1") {
		t.Errorf("error is %v", err)
	}
}

func TestOpenNamesTheFolder(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir, "/bin/true", t.TempDir()); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("error is %v", err)
	}
}

func TestFetchVerifiesTheSignature(t *testing.T) {
	mirror, other := mockmirror.NewFromBinary(t, []byte("#!/bin/sh\nexit 0\n")), mockmirror.NewFromBinary(t, []byte("x"))
	at := func(key string) []tofudl.ConfigOpt {
		return []tofudl.ConfigOpt{
			tofudl.ConfigGPGKey(key),
			tofudl.ConfigAPIURL(mirror.APIURL()),
			tofudl.ConfigDownloadMirrorURLTemplate(mirror.DownloadMirrorURLTemplate()),
		}
	}
	dir := t.TempDir()
	if _, _, err := Fetch(t.Context(), dir, "1.0.0", at(other.GPGKey())...); err == nil {
		t.Error("an archive signed with another key was taken")
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	path, fetched, err := Fetch(t.Context(), dir, "1.0.0", at(mirror.GPGKey())...)
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.Command(path).Run(); err != nil {
		t.Errorf("run %s: %v", path, err)
	}
	if !fetched {
		t.Error("it does not say that it fetched")
	}
	if again, fetched, err := Fetch(t.Context(), dir, "1.0.0"); err != nil || again != path || fetched {
		t.Errorf("a second fetch went out again: %s, %v, %v", again, fetched, err)
	}
}

// A fault names the variable that it stands at: what a user can change.
func TestDiagnosticNamesTheVariable(t *testing.T) {
	const line = `{"type":"diagnostic","diagnostic":{"severity":"error","summary":"reading Bucket (b): empty result",
		"range":{"filename":"role.tf","start":{"line":3}},"snippet":{"code":"  bucket   = var.config.bucket"}}}`
	e, ok := parseEvent([]byte(line))
	if want := "reading Bucket (b): empty result (role.tf:3: bucket   = var.config.bucket)"; !ok || e.Message != want {
		t.Errorf("it says %q, not %q", e.Message, want)
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add([]byte(`{"@level":"info","@message":"a: Creating...","type":"apply_start","hook":{"resource":{"addr":"a"},"action":"create"}}`))
	f.Add([]byte(`{"@message":"x","type":"diagnostic","diagnostic":{"severity":"error","summary":"s","detail":"d","range":{"filename":"m.tf","start":{"line":3}}}}`))
	f.Add([]byte(`{"type":"change_summary","changes":{"add":1}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if e, ok := parseEvent(line); ok && e.Type == "" {
			t.Error("an event without a type")
		}
	})
}
