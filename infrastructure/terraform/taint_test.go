package terraform

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
)

// beside are the resources that may stand beside the one they replace, since AWS or
// the provider makes their name. All others must be deleted before they are created.
var beside = map[string]string{
	"module.redis.module.redis.aws_security_group.this[0]": "name_prefix",
}

// taintedPlan plans with every managed resource of dev's state tainted, as an
// interrupted create leaves it, and holds each change to the order that can work.
// Terraform's create_before_destroy spreads to all that a resource depends on, so the
// order of one is a matter of the whole configuration.
func (a *account) taintedPlan(t *testing.T, dev string) {
	n := taint(t, filepath.Join(dev, "terraform.tfstate"), filepath.Join(dev, "tainted.tfstate"))
	if out, err := a.run(dev, "plan", "-refresh=false", "-state=tainted.tfstate", "-out=tainted.plan"); err != nil {
		t.Fatalf("%v\n%s", err, complaint(out))
	}
	out, err := a.run(dev, "show", "-json", "tainted.plan")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	plan := new(tfjson.Plan)
	if err := json.Unmarshal([]byte(out), plan); err != nil {
		t.Fatal(err)
	}
	replaced := 0
	for _, change := range plan.ResourceChanges {
		actions := change.Change.Actions
		if !actions.Replace() {
			continue
		}
		replaced++
		if _, may := beside[change.Address]; !may && !actions.DestroyBeforeCreate() {
			t.Errorf("%s is planned as %v: its name is taken until the old one is gone", change.Address, actions)
		}
	}
	if replaced != n {
		t.Errorf("%d of %d tainted resources are replaced", replaced, n)
	}
	t.Logf("%d resources", n)
}

// taint marks every managed resource of a state, or those at the addresses given, and
// returns how many.
func taint(t *testing.T, from, to string, only ...string) (n int) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	var state map[string]any
	if err := json.Unmarshal(data, &state); err != nil {
		t.Fatal(err)
	}
	for _, r := range state["resources"].([]any) {
		r := r.(map[string]any)
		for _, i := range r["instances"].([]any) {
			if r["mode"] != "managed" || len(only) > 0 && !slices.Contains(only, addressIn(r, i)) {
				continue
			}
			i.(map[string]any)["status"] = "tainted"
			n++
		}
	}
	data, err = json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return n
}

// addressIn is the address of an instance in a state file.
func addressIn(resource map[string]any, instance any) string {
	address := resource["type"].(string) + "." + resource["name"].(string)
	if module, ok := resource["module"].(string); ok {
		address = module + "." + address
	}
	if key, ok := instance.(map[string]any)["index_key"]; ok {
		written, _ := json.Marshal(key)
		address += "[" + string(written) + "]"
	}
	return address
}
