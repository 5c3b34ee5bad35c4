package variables

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = `
variable "region" { type = string }
variable "anything" {}
variable "network" {
  type = object({
    vpc_id     = string
    subnet_ids = optional(list(string), [])
  })
}
variable "rules" { type = map(object({ port = number, cidr = optional(string) })) }
`

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestMisspelt(t *testing.T) {
	dir := folder(t, map[string]string{
		"variables.tf": module,
		"terraform.tfvars.json": `{"regoin": "eu-west-1", "network": {"vpc_id": "vpc-1", "subnet_id": ["a"]}, "anything": {"x": 1},
			"rules": {"smtp": {"port": 25}, "atlas": {"ports": 27017}}, "network_acl_for_the_function": null}`,
		"more.auto.tfvars":    "region = \"eu-west-1\"\nnetwork = { vpc = \"x\" }\n",
		"broken.auto.tfvars":  "region = ",
		"notread.tfvars.json": `{"nothing": 1}`,
	})
	got, err := Check(dir, map[string]string{"region": "x", "rule": "{}"})
	if err != nil {
		t.Fatal(err)
	}
	const file = "terraform.tfvars.json"
	want := []Unknown{
		{Name: "rule", Means: "rules"},
		{File: file, Name: "network_acl_for_the_function"},
		{File: file, Name: "regoin", Means: "region"},
		{File: file, Name: "network.subnet_id", Means: "network.subnet_ids"},
		{File: file, Name: "rules.atlas.ports", Means: "rules.atlas.port"},
		{File: "more.auto.tfvars", Name: "network.vpc"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unknown names (-want +got):\n%s", diff)
	}
}

// TestShipped: the committed variables of each environment are all declared.
func TestShipped(t *testing.T) {
	dirs, _ := filepath.Glob("../../../infrastructure/terraform/environments/*") // prod's files are links to dev's
	if len(dirs) == 0 {
		t.Fatal("no environment is shipped")
	}
	for _, dir := range dirs {
		if got, err := Check(dir, nil); err != nil || len(got) > 0 {
			t.Errorf("%s: %v, %v", filepath.Base(dir), got, err)
		}
	}
}
