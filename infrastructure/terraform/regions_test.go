package terraform

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRegions applies one environment in two regions of one account, under the same name:
// us-east-1, which S3 and CloudFront's certificates treat as no other, and eu-north-1. Each
// second plan is empty, and the destruction of one leaves the other. Who deploys has the rights
// for one region at a time.
func TestRegions(t *testing.T) {
	long(t)
	a := separate(t)
	a.guarded(t)
	places, deployers := map[string]string{}, map[string]deployer{}
	regions := []string{"us-east-1", "eu-north-1"}
	for _, region := range regions {
		if err := a.furnish(map[string]any{"region": region, "config_bucket": "apro-librechat-config-" + region}); err != nil {
			t.Fatal(err)
		}
		before := a.calls.count()
		dir := a.environment(t, func(vars map[string]any) {
			vars["region"] = region
			vars["domain"].(map[string]any)["name"] = "lambda-" + region + ".sandbox.data.apro.is"
		})
		places[region] = dir
		deployers[region] = a.deployer(t, map[string]string{"region": region, "config_bucket": "apro-librechat-config-" + region})
		a.calls.becomes(deployers[region], false)
		if out, err := a.run(dir, "apply", "-auto-approve"); err != nil {
			t.Fatalf("%s: %v\n%s", region, err, complaint(out))
		}
		for _, place := range a.calls.places(before) {
			if !strings.HasPrefix(place, region+" ") && !slices.Contains(elsewhere, place) {
				t.Errorf("%s: calls go to %s", region, place)
			}
		}
	}
	for i, region := range regions {
		a.calls.becomes(deployers[region], false)
		if out, err := a.run(places[region], "plan", "-detailed-exitcode"); err != nil {
			t.Errorf("%s: the second plan is not empty: %v\n%s", region, err, changes(out))
		}
		if out, err := a.run(places[region], "destroy", "-auto-approve"); err != nil {
			t.Errorf("%s: destroy: %v\n%s", region, err, complaint(out))
		}
		if left := a.left(t); i == 1 && slices.ContainsFunc(left, func(name string) bool { return strings.Contains(name, "librechat-dev") }) {
			t.Errorf("destroy left %v", left)
		}
	}
	a.lawful(t)
	a.suffices(t)
}

// elsewhere is what is asked in us-east-1 from every region: services that have one endpoint, and
// CloudFront's certificates.
var elsewhere = []string{"us-east-1 cloudfront", "us-east-1 iam", "us-east-1 route53", "us-east-1 acm"}

// TestPartitions: a region of a partition where this cannot run is refused in a sentence, before
// anything is asked of AWS, and no other. The partitions are botocore's.
func TestPartitions(t *testing.T) {
	needTofu(t)
	root := tree(t)
	dir := filepath.Join(root, "environments", "partition")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(root, "environments", "dev", "variables.tf"))
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(source), "\nvariable \"project\"")
	if err := os.WriteFile(filepath.Join(dir, "variables.tf"), []byte(text+"\noutput \"region\" { value = var.region }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for region, partition := range botocoreRegions(t) {
		cmd := exec.CommandContext(t.Context(), "tofu", "plan", "-no-color", "-input=false", "-var=region="+region)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if refused := err != nil && strings.Contains(string(out), "region"); refused != (partition != "aws") {
			t.Errorf("%s of %s: %v\n%s", region, partition, err, out)
		}
		if partition == "aws-us-gov" && !strings.Contains(string(out), "CloudFront") {
			t.Errorf("%s is refused without a reason:\n%s", region, out)
		}
	}
}

// botocoreRegions are some regions of each partition, with the partition.
func botocoreRegions(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "python3", "-c", `
import botocore, json, os
path = os.path.join(os.path.dirname(botocore.__file__), "data", "endpoints.json")
print(json.dumps({r: p["partition"] for p in json.load(open(path))["partitions"] for r in sorted(p["regions"])[:3]}))`).Output()
	if err != nil {
		t.Skipf("no botocore, which moto brings: %v; make deps", err)
	}
	regions := map[string]string{}
	if err := json.Unmarshal(out, &regions); err != nil {
		t.Fatal(err)
	}
	if len(regions) < 12 {
		t.Fatalf("there are %v", regions)
	}
	return regions
}
