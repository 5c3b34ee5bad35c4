package terraform

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
)

// planned is the plan of environments/dev, and what `tofu plan` printed.
func (a *account) planned(t *testing.T, dev string) (*tfjson.Plan, []byte) {
	t.Helper()
	if out, err := a.run(dev, "plan", "-out=plan"); err != nil {
		t.Fatalf("plan: %v\n%s", err, complaint(out))
	}
	out, err := a.run(dev, "show", "-json", "plan")
	if err != nil {
		t.Fatalf("show: %v\n%s", err, out)
	}
	plan := new(tfjson.Plan)
	if err := json.Unmarshal([]byte(out), plan); err != nil {
		t.Fatal(err)
	}
	return plan, []byte(out)
}

// TestApply applies environments/dev, plans again, uploads what an owner would
// have there, and destroys. gaps_test.go lists what moto cannot do.
func TestApply(t *testing.T) {
	a := emulated(t)
	dev := a.environment(t, nil) // without monitoring: the provider's CloudWatch client speaks CBOR, which moto does not route
	if out, err := a.run(dev, "apply", "-auto-approve"); err != nil {
		t.Fatalf("apply: %v\n%s", err, complaint(out))
	}
	t.Run("second plan is empty", func(t *testing.T) {
		out, err := a.run(dev, "plan", "-detailed-exitcode")
		if err != nil {
			t.Errorf("%v\n%s", err, changes(out))
		}
	})
	a.fill(t)
	t.Run("destroy leaves nothing", func(t *testing.T) {
		out, err := a.run(dev, "destroy", "-auto-approve")
		if err != nil {
			t.Errorf("destroy: %v\n%s", err, complaint(out))
		}
		state, _ := os.ReadFile(filepath.Join(dev, "terraform.tfstate"))
		if strings.Contains(string(state), `"mode": "managed"`) {
			t.Errorf("state still holds resources:\n%s", state)
		}
	})
}

// complaint is what tofu printed from its first error on.
func complaint(out string) string {
	if i := strings.Index(out, "panic: "); i >= 0 {
		return out[i:]
	}
	if i := strings.Index(out, "Error: "); i >= 0 {
		return out[i:]
	}
	return out
}

// changes are the lines of a plan that name a changed resource or attribute.
func changes(out string) string {
	return strings.Join(regexp.MustCompile(`(?m)^ *(# .*|[~+-].*|-/\+ .*|Error: .*)$`).FindAllString(out, -1), "\n")
}
