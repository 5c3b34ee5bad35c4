package stack

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/aproorg/sluice/internal/stack/tfplan"
)

// MaxEnvironment is how many bytes of variables a function may have (quota L-6581F036,
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
const MaxEnvironment = 4096

// EnvironmentSize is the size of a function's variables in bytes as Lambda measures it: of their JSON document, which its refusal
// quotes as "String measured" (https://github.com/github-aws-runners/terraform-aws-github-runner/issues/3594). None are 0.
func EnvironmentSize(variables map[string]string) int {
	if len(variables) == 0 {
		return 0
	}
	var document bytes.Buffer
	encoder := json.NewEncoder(&document)
	encoder.SetEscapeHTML(false) // "&" is one byte
	if encoder.Encode(variables) != nil {
		return 0 // strings can always be written
	}
	return document.Len() - len("\n")
}

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
	if size := EnvironmentSize(f.Environment); size > MaxEnvironment {
		a.Refuse("the variables of environment are %d bytes as JSON, not counting values known after apply, and Lambda takes %d: move some into SSM parameters", size, MaxEnvironment)
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
