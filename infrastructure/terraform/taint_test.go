package terraform

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
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
// order of one is a matter of the whole configuration. Provisioned
// concurrency is not applied yet: the state of it is what a plan makes of it.
func (a *account) taintedPlan(t *testing.T, dev string) {
	a.variables(t, dev, func(vars map[string]any) {
		a.asApplied(vars)
		vars["function"] = map[string]any{"start": "provisioned", "provisioned_concurrency": 2}
	})
	defer a.variables(t, dev, a.asApplied)
	whole := filepath.Join(dev, "whole.tfstate")
	applied := taint(t, filepath.Join(dev, "terraform.tfstate"), whole)
	a.assume(t, dev, whole)
	n := taint(t, whole, filepath.Join(dev, "tainted.tfstate"))
	if n < applied+1 {
		t.Errorf("%d optional resources: provisioned concurrency has one", n-applied)
	}
	a.replaces(t, dev, n)
}

// assume writes into the state what the plan would create.
func (a *account) assume(t *testing.T, dev, file string) {
	t.Helper()
	plan := a.planOf(t, dev, "-refresh=false")
	versions := map[string]uint64{}
	for _, r := range flatten(plan.PlannedValues.RootModule) {
		versions[r.Address] = r.SchemaVersion
	}
	state := readState(t, file)
	for _, change := range plan.ResourceChanges {
		if !change.Change.Actions.Create() {
			continue
		}
		attributes := change.Change.After.(map[string]any)
		attributes["id"] = "assumed"
		instance := map[string]any{"schema_version": versions[change.Address], "attributes": attributes}
		if change.Index != nil {
			instance["index_key"] = change.Index
		}
		state["resources"] = withInstance(state["resources"].([]any), map[string]any{"module": change.ModuleAddress, "mode": "managed", "type": change.Type,
			"name": change.Name, "provider": `provider["` + change.ProviderName + `"]`}, instance)
	}
	writeState(t, file, state)
}

// withInstance adds an instance to the resource, which is added where it is missing.
func withInstance(resources []any, resource map[string]any, instance any) []any {
	for _, r := range resources {
		r := r.(map[string]any)
		if r["module"] == resource["module"] && r["type"] == resource["type"] && r["name"] == resource["name"] {
			r["instances"] = append(r["instances"].([]any), instance)
			return resources
		}
	}
	resource["instances"] = []any{instance}
	return append(resources, resource)
}

// planOf is a plan with more arguments, as JSON.
func (a *account) planOf(t *testing.T, dev string, more ...string) *tfjson.Plan {
	t.Helper()
	if out, err := a.run(dev, slices.Concat([]string{"plan", "-out=tainted.plan"}, more)...); err != nil {
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
	return plan
}

// replaces holds the plan of n tainted resources to the order that can work.
func (a *account) replaces(t *testing.T, dev string, n int) {
	t.Helper()
	plan := a.planOf(t, dev, "-refresh=false", "-state=tainted.tfstate")
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

// handful are resources that nothing else depends on, each of a fixed name: an
// interrupted create leaves the like tainted.
var handful = []string{
	`aws_ssm_parameter.secret["REDIS_URI"]`,
	`module.api_gateway.aws_api_gateway_method_response.options["/health"]`,
	`module.api_gateway.aws_lambda_permission.this["function"]`,
	`module.api_gateway.module.usage_plan[0].aws_api_gateway_usage_plan_key.this`,
	`module.domain[0].aws_route53_record.this["A"]`,
	`module.network.aws_vpc_security_group_egress_rule.this["https"]`,
}

// taintedApply makes anew what is tainted, and plans again: nothing is left to do.
func (a *account) taintedApply(t *testing.T, dev string, only ...string) {
	t.Helper()
	state := filepath.Join(dev, "terraform.tfstate")
	n := taint(t, state, state, only...)
	if len(only) > 0 && n != len(only) {
		t.Errorf("the state has %d of %d resources", n, len(only))
	}
	out, err := a.run(dev, "apply", "-auto-approve")
	if err != nil {
		t.Fatalf("apply: %v\n%s", err, complaint(out))
	}
	if made := fmt.Sprintf("%d destroyed", n); !strings.Contains(out, made) {
		t.Errorf("%d resources were tainted:\n%s", n, out[strings.LastIndex(out, "Apply complete"):])
	}
	if out, err := a.run(dev, "plan", "-detailed-exitcode"); err != nil {
		t.Errorf("the second plan is not empty: %v\n%s", err, changes(out))
	}
}

// TestTaint applies environments/dev with every one of its resources tainted at once,
// function, distribution, Redis and buckets among them.
func TestTaint(t *testing.T) {
	if os.Getenv("SLUICE_MATRIX") == "" {
		t.Skip("TestApply makes a handful anew; all take minutes: " + matrixCommand)
	}
	a := separate(t)
	dev := a.environment(t, a.sharedCertificate)
	if out, err := a.run(dev, "apply", "-auto-approve"); err != nil {
		t.Fatalf("apply: %v\n%s", err, complaint(out))
	}
	t.Run("imports", func(t *testing.T) { a.imports(t, dev) })
	a.taintedApply(t, dev)
}

// unready are the words of a configuration that cannot be evaluated with what a state has.
var unready = regexp.MustCompile(`Error: [^\n]*(Invalid|Unsupported|Missing|Error in function|argument)[^\n]*`)

var index = regexp.MustCompile(`\[[^\]]*\]`)

// imports imports the first instance of each resource into a state that lacks it and all
// that depends on it, as after a single failure: an import evaluates the whole
// configuration with what the state has. The ID is none, so that AWS is not found to have it.
func (a *account) imports(t *testing.T, dev string) {
	file := filepath.Join(dev, "terraform.tfstate")
	for _, r := range readState(t, file)["resources"].([]any) {
		r := r.(map[string]any)
		if r["mode"] != "managed" || !strings.HasPrefix(r["type"].(string), "aws_") {
			continue
		}
		missing, block := addressIn(r, r["instances"].([]any)[0]), index.ReplaceAllString(addressIn(r, map[string]any{}), "")
		state := readState(t, file)
		for _, other := range state["resources"].([]any) {
			other := other.(map[string]any)
			other["instances"] = slices.DeleteFunc(other["instances"].([]any), func(i any) bool {
				needs, _ := i.(map[string]any)["dependencies"].([]any)
				return addressIn(other, i) == missing || slices.Contains(needs, any(block))
			})
		}
		writeState(t, filepath.Join(dev, "partial.tfstate"), state)
		out, err := a.run(dev, "import", "-state=partial.tfstate", missing, "none")
		if fault := unready.FindString(out); fault != "" {
			t.Errorf("%s cannot be imported when it is missing: %s", missing, complaint(out))
		}
		t.Logf("%s: %v", missing, err)
	}
}

// taint marks every managed resource of a state, or those at the addresses given, and
// returns how many.
func taint(t *testing.T, from, to string, only ...string) (n int) {
	t.Helper()
	state := readState(t, from)
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
	writeState(t, to, state)
	return n
}

func readState(t *testing.T, file string) (state map[string]any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &state); err != nil {
		t.Fatal(err)
	}
	return state
}

func writeState(t *testing.T, file string, state map[string]any) {
	t.Helper()
	data, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
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
