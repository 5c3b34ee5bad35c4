package provider

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/aproorg/sluice/internal/hint"
)

// activeResource is sluice_active_versions: the wait until versions of a function can be invoked.
type activeResource struct{ occasion }

var _ resource.ResourceWithConfigure = (*activeResource)(nil)

type activeModel struct {
	FunctionName types.String `tfsdk:"function_name"`
	Versions     types.Set    `tfsdk:"versions"`
}

func (*activeResource) Metadata(_ context.Context, _ resource.MetadataRequest, r *resource.MetadataResponse) {
	r.TypeName = "sluice_active_versions"
}

func (*activeResource) Schema(_ context.Context, _ resource.SchemaRequest, r *resource.SchemaResponse) {
	r.Schema = schema.Schema{
		MarkdownDescription: "The wait until published versions of a function can be invoked, for an alias to depend on: with SnapStart a version is `Pending` while its snapshot is taken, " +
			"and `aws_lambda_function` does not wait for the first one. A version that has become `Inactive`, as one with SnapStart does when nobody calls it for 14 days, is invoked, " +
			"with `{}`, so that Lambda makes it active again. Whenever an attribute changes, it waits, for up to 26 minutes. A version that failed is an error, with Lambda's reason. " +
			"Destroying the resource does nothing.",
		Attributes: map[string]schema.Attribute{
			"function_name": schema.StringAttribute{Required: true, MarkdownDescription: "The function's name."},
			"versions":      schema.SetAttribute{Required: true, ElementType: types.StringType, MarkdownDescription: "Numbers of the versions."},
		},
	}
}

func (a *activeResource) Create(ctx context.Context, request resource.CreateRequest, r *resource.CreateResponse) {
	a.apply(ctx, request.Plan, &r.State, &r.Diagnostics)
}

func (a *activeResource) Update(ctx context.Context, request resource.UpdateRequest, r *resource.UpdateResponse) {
	a.apply(ctx, request.Plan, &r.State, &r.Diagnostics)
}

// apply keeps the state as it was where a version is not active, so that the next apply waits again.
func (a *activeResource) apply(ctx context.Context, planned tfsdk.Plan, state *tfsdk.State, diags *diag.Diagnostics) {
	var plan activeModel
	var versions []string
	diags.Append(planned.Get(ctx, &plan)...)
	if diags.Append(plan.Versions.ElementsAs(ctx, &versions, false)...); diags.HasError() {
		return
	}
	config, err := a.session.config(ctx)
	for _, version := range slices.Sorted(slices.Values(versions)) {
		if err == nil {
			err = config.Function(plan.FunctionName.ValueString()).AwaitActive(ctx, version)
		}
	}
	if err != nil {
		diags.AddError("A version cannot be invoked", hint.Text(err))
		return
	}
	diags.Append(state.Set(ctx, &plan)...)
}
