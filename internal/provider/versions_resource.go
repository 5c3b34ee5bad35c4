package provider

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/aproorg/sluice/internal/hint"
)

// occasion is what a resource is made of that is no thing of its own: it does something whenever an attribute changes. There is
// nothing to read, and nothing to delete.
type occasion struct{ session *session }

func (o *occasion) Configure(_ context.Context, request resource.ConfigureRequest, r *resource.ConfigureResponse) {
	receive(&o.session, request.ProviderData, &r.Diagnostics)
}

func (*occasion) Read(context.Context, resource.ReadRequest, *resource.ReadResponse) {}

func (*occasion) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}

// versionsResource is sluice_function_versions: old versions and images go when there is a new
// one. A function that goes takes its versions along.
type versionsResource struct{ occasion }

var _ resource.ResourceWithConfigure = (*versionsResource)(nil)

type versionsModel struct {
	FunctionName types.String `tfsdk:"function_name"`
	Repository   types.String `tfsdk:"repository"`
	Keep         types.Int64  `tfsdk:"keep"`
	Triggers     types.Map    `tfsdk:"triggers"`
}

func (*versionsResource) Metadata(_ context.Context, _ resource.MetadataRequest, r *resource.MetadataResponse) {
	r.TypeName = "sluice_function_versions"
}

func (*versionsResource) Schema(_ context.Context, _ resource.SchemaRequest, r *resource.SchemaResponse) {
	r.Schema = schema.Schema{
		MarkdownDescription: "The end of old versions of a function, and of their images: `aws_lambda_function` publishes versions and deletes none, and a lifecycle policy " +
			"of ECR deletes images that a version still needs. Whenever an attribute changes, what is beyond the newest `keep` is removed: versions that no alias names, " +
			"then images that neither `$LATEST` nor a version that is left runs. Versions and images that could not be removed are a warning. Destroying the resource removes nothing.",
		Attributes: map[string]schema.Attribute{
			"function_name": schema.StringAttribute{Required: true, MarkdownDescription: "The function's name."},
			"repository":    schema.StringAttribute{Optional: true, MarkdownDescription: "Name of the ECR repository of its images, of the same account and region. By default no image is removed."},
			"keep": schema.Int64Attribute{Required: true, Validators: []validator.Int64{positive{}},
				MarkdownDescription: "How many versions, and how many images, are kept at least; the newest."},
			"triggers": schema.MapAttribute{Optional: true, ElementType: types.StringType,
				MarkdownDescription: "What a new version and a new image are known by: when a value changes, old ones are looked for."},
		},
	}
}

// positive is the least that may be kept: one version or image, which runs.
type positive struct{}

func (positive) Description(context.Context) string { return "must be 1 or more" }

func (p positive) MarkdownDescription(ctx context.Context) string { return p.Description(ctx) }

func (p positive) ValidateInt64(ctx context.Context, request validator.Int64Request, r *validator.Int64Response) {
	if n := request.ConfigValue; !n.IsNull() && !n.IsUnknown() && n.ValueInt64() < 1 {
		r.Diagnostics.AddAttributeError(request.Path, "Nothing would be kept", fmt.Sprintf("%s %s.", request.Path, p.Description(ctx)))
	}
}

func (v *versionsResource) Create(ctx context.Context, request resource.CreateRequest, r *resource.CreateResponse) {
	v.apply(ctx, request.Plan, &r.State, &r.Diagnostics)
}

func (v *versionsResource) Update(ctx context.Context, request resource.UpdateRequest, r *resource.UpdateResponse) {
	v.apply(ctx, request.Plan, &r.State, &r.Diagnostics)
}

func (v *versionsResource) apply(ctx context.Context, planned tfsdk.Plan, state *tfsdk.State, diags *diag.Diagnostics) {
	var plan versionsModel
	if diags.Append(planned.Get(ctx, &plan)...); !diags.HasError() {
		v.prune(ctx, plan, diags)
		diags.Append(state.Set(ctx, &plan)...)
	}
}

// prune never fails: a release that is live is not undone by what it leaves behind.
func (v *versionsResource) prune(ctx context.Context, plan versionsModel, diags *diag.Diagnostics) {
	config, err := v.session.config(ctx)
	if err == nil {
		_, err = config.Function(plan.FunctionName.ValueString()).Prune(ctx, int(plan.Keep.ValueInt64()), plan.Repository.ValueString())
	}
	if err != nil {
		diags.AddWarning("Old versions or images stay", fmt.Sprintf("%s\n\nThe next change looks for them again.", strings.TrimSpace(hint.Text(err))))
	}
}
