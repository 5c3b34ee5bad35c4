package backend

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name, hcl string
		want      *S3
	}{
		{"none", `terraform { required_version = ">= 1.5.7" }`, nil},
		{"another kind", `terraform { backend "gcs" { bucket = "x" } }`, nil},
		{"open", "terraform {\n  backend \"s3\" { key = \"k\" }\n}", &S3{}},
		{"named", "terraform {\n  backend \"s3\" {\n    bucket = \"own\"\n    region = \"eu-north-1\"\n  }\n}", &S3{"own", "eu-north-1"}},
		{"broken", `terraform {`, nil},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "backend.tf"), []byte(c.hcl), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Read(dir)
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
	}
	if got, err := Read("../../../infrastructure/terraform/environments/prod"); err != nil || got == nil || *got != (S3{}) {
		t.Errorf("prod: %v, %v", got, err)
	}
	if got, err := Read("../../../infrastructure/terraform/environments/dev"); err != nil || got != nil {
		t.Errorf("dev: %v, %v", got, err)
	}
}
