package stack

import "time"

// function reads an aws_lambda_function with Lambda's defaults.
func (r *reader) function(res *resource) Function {
	a := r.attributes(res)
	if kind := a.str("package_type"); kind != "" && kind != "Image" {
		a.fail("package_type is %q: only Image is understood", kind)
	}
	image := a.block("image_config")
	f := Function{
		Address:      res.Address,
		FunctionName: a.str("function_name"),
		ImageURI:     a.str("image_uri"),
		ImageConfig: ImageConfig{
			EntryPoint:       image.strings("entry_point"),
			Command:          image.strings("command"),
			WorkingDirectory: image.str("working_directory"),
		},
		MemorySize:          a.number("memory_size", 128),
		Timeout:             a.duration("timeout", time.Second, 3*time.Second),
		EphemeralStorage:    a.block("ephemeral_storage").number("size", 512),
		Architecture:        "x86_64",
		Environment:         a.block("environment").stringMap("variables"),
		ReservedConcurrency: a.number("reserved_concurrent_executions", -1),
		SnapStart:           a.block("snap_start").str("apply_on"),
		VpcSubnets:          len(a.block("vpc_config").strings("subnet_ids")),
	}
	if archs := a.strings("architectures"); len(archs) > 0 {
		f.Architecture = archs[0]
	}
	for _, p := range r.all("aws_lambda_provisioned_concurrency_config") {
		f.ProvisionedConcurrency += r.attributes(p).number("provisioned_concurrent_executions", 0)
	}
	return f
}
