package stack

import (
	"time"

	"github.com/aproorg/sluice/internal/stack/tfplan"
)

// function reads an aws_lambda_function with Lambda's defaults.
func (r *reader) function(res *tfplan.Resource) Function {
	a := r.Attributes(res)
	if kind := a.Str("package_type"); kind != "" && kind != "Image" {
		a.Fail("package_type is %q: only Image is understood", kind)
	}
	image := a.Block("image_config")
	f := Function{
		Address:      res.Address,
		FunctionName: a.Str("function_name"),
		ImageURI:     a.Str("image_uri"),
		ImageConfig: ImageConfig{
			EntryPoint:       image.Strings("entry_point"),
			Command:          image.Strings("command"),
			WorkingDirectory: image.Str("working_directory"),
		},
		MemorySize:          a.Number("memory_size", 128),
		Timeout:             a.Duration("timeout", time.Second, 3*time.Second),
		EphemeralStorage:    a.Block("ephemeral_storage").Number("size", 512),
		Architecture:        "x86_64",
		Environment:         a.Block("environment").StringMap("variables"),
		ReservedConcurrency: a.Number("reserved_concurrent_executions", -1),
		SnapStart:           a.Block("snap_start").Str("apply_on"),
		VpcSubnets:          len(a.Block("vpc_config").Strings("subnet_ids")),
	}
	if archs := a.Strings("architectures"); len(archs) > 0 {
		f.Architecture = archs[0]
	}
	if made := r.Find(res, f.ImageURI, "image_uri", "sluice_image"); made != nil {
		f.ImageEnvironment = r.Attributes(made).StringMap("added_environment")
	}
	for _, p := range r.All("aws_lambda_provisioned_concurrency_config") {
		f.ProvisionedConcurrency += r.Attributes(p).Number("provisioned_concurrent_executions", 0)
	}
	return f
}
