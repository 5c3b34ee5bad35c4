// Package backend reads where a root module keeps its state: in a local file, or in S3
// with what is named there. It leaves out other kinds of backend, which their owners set
// up, and the bucket itself (package awsx).
package backend

import (
	"fmt"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/zclconf/go-cty/cty"
)

// S3 is the backend "s3" of a root module. What it leaves open is empty.
type S3 struct{ Bucket, Region string }

// Read returns the backend "s3" of the root module in dir; nil where it has none.
func Read(dir string) (*S3, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err != nil {
		return nil, fmt.Errorf("find the module's files: %w", err)
	}
	for _, name := range files {
		file, diagnostics := hclparse.NewParser().ParseHCLFile(name)
		if diagnostics.HasErrors() {
			continue // the program says it better
		}
		for _, settings := range blocks(file.Body, "terraform", nil) {
			for _, backend := range blocks(settings.Body, "backend", []string{"type"}) {
				if backend.Labels[0] == "s3" {
					return &S3{Bucket: value(backend.Body, "bucket"), Region: value(backend.Body, "region")}, nil
				}
			}
		}
	}
	return nil, nil
}

func blocks(body hcl.Body, kind string, labels []string) hcl.Blocks {
	content, _, _ := body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: kind, LabelNames: labels}}})
	return content.Blocks
}

// value is a string that stands in the block as it is; empty for any other.
func value(body hcl.Body, name string) string {
	content, _, _ := body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: name}}})
	attribute := content.Attributes[name]
	if attribute == nil {
		return ""
	}
	v, _ := attribute.Expr.Value(nil)
	if v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return ""
	}
	return v.AsString()
}
