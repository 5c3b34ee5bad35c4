package provider

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/aproorg/sluice/internal/awsx"
	"github.com/aproorg/sluice/internal/hint"
)

// deploymentResource is sluice_api_deployment: what a stage of a REST API serves. It
// is made anew in place. aws_api_gateway_deployment is replaced, and needs
// create_before_destroy for that, which Terraform spreads to all that it depends on.
type deploymentResource struct{ session *session }

var (
	_ resource.ResourceWithConfigure   = (*deploymentResource)(nil)
	_ resource.ResourceWithModifyPlan  = (*deploymentResource)(nil)
	_ resource.ResourceWithImportState = (*deploymentResource)(nil)
)

type deploymentModel struct {
	RestAPIID types.String `tfsdk:"rest_api_id"`
	Triggers  types.Map    `tfsdk:"triggers"`
	ID        types.String `tfsdk:"id"`
}

// deploymentDescription marks the deployments that this resource has made, and may
// remove when no stage serves them any more.
const deploymentDescription = "made by sluice_api_deployment"

func (*deploymentResource) Metadata(_ context.Context, _ resource.MetadataRequest, r *resource.MetadataResponse) {
	r.TypeName = "sluice_api_deployment"
}

func (d *deploymentResource) Configure(_ context.Context, request resource.ConfigureRequest, r *resource.ConfigureResponse) {
	receive(&d.session, request.ProviderData, &r.Diagnostics)
}

func (*deploymentResource) Schema(_ context.Context, _ resource.SchemaRequest, r *resource.SchemaResponse) {
	r.Schema = schema.Schema{
		MarkdownDescription: "A deployment of a REST API, which a stage serves. When `triggers` change, a new one is made in place and the stage moves to it; " +
			"the one before is removed at the next change. `aws_api_gateway_deployment` is replaced instead, for which it needs `create_before_destroy`. Terraform " +
			"spreads that to all that the deployment depends on, so that no interrupted apply could ever be finished: what has a fixed name would be created beside itself.",
		Attributes: map[string]schema.Attribute{
			"rest_api_id": schema.StringAttribute{Required: true,
				PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
				MarkdownDescription: "ID of the REST API."},
			"triggers": schema.MapAttribute{Optional: true, ElementType: types.StringType,
				MarkdownDescription: "What the deployment follows from: when a value changes, the API is deployed anew."},
			"id": schema.StringAttribute{Computed: true, MarkdownDescription: "ID of the deployment, for a stage's `deployment_id`."},
		},
	}
}

// ModifyPlan keeps the ID while the triggers stay as they are.
func (*deploymentResource) ModifyPlan(ctx context.Context, request resource.ModifyPlanRequest, r *resource.ModifyPlanResponse) {
	if request.Plan.Raw.IsNull() || request.State.Raw.IsNull() {
		return // nothing before, or nothing after
	}
	var plan, state deploymentModel
	r.Diagnostics.Append(request.Plan.Get(ctx, &plan)...)
	r.Diagnostics.Append(request.State.Get(ctx, &state)...)
	if r.Diagnostics.HasError() || len(r.RequiresReplace) > 0 {
		return
	}
	plan.ID = types.StringUnknown()
	if plan.Triggers.Equal(state.Triggers) {
		plan.ID = state.ID
	}
	r.Diagnostics.Append(r.Plan.Set(ctx, &plan)...)
}

func (d *deploymentResource) api(ctx context.Context, m *deploymentModel) (*awsx.RestAPI, error) {
	config, err := d.session.config(ctx)
	if err != nil {
		return nil, err
	}
	return config.RestAPI(m.RestAPIID.ValueString()), nil
}

func (d *deploymentResource) Create(ctx context.Context, request resource.CreateRequest, r *resource.CreateResponse) {
	var plan deploymentModel
	if r.Diagnostics.Append(request.Plan.Get(ctx, &plan)...); r.Diagnostics.HasError() {
		return
	}
	if d.deploy(ctx, &plan, "", &r.Diagnostics); !r.Diagnostics.HasError() {
		r.Diagnostics.Append(r.State.Set(ctx, &plan)...)
	}
}

func (d *deploymentResource) Update(ctx context.Context, request resource.UpdateRequest, r *resource.UpdateResponse) {
	var plan, state deploymentModel
	r.Diagnostics.Append(request.Plan.Get(ctx, &plan)...)
	r.Diagnostics.Append(request.State.Get(ctx, &state)...)
	if r.Diagnostics.HasError() {
		return
	}
	if d.deploy(ctx, &plan, state.ID.ValueString(), &r.Diagnostics); !r.Diagnostics.HasError() {
		r.Diagnostics.Append(r.State.Set(ctx, &plan)...)
	}
}

// deploy makes a deployment and removes those that no stage serves, also one whose
// ID never arrived. The one that the stage is about to leave stays until the next time.
func (d *deploymentResource) deploy(ctx context.Context, plan *deploymentModel, before string, diags *diag.Diagnostics) {
	api, err := d.api(ctx, plan)
	var id string
	if err == nil {
		id, err = api.Deploy(ctx, deploymentDescription)
	}
	if err != nil {
		diags.AddError("The API was not deployed", hint.Text(err))
		return
	}
	plan.ID = types.StringValue(id)
	all, err := api.Deployments(ctx, deploymentDescription)
	for _, old := range all {
		if old != id && old != before {
			err = errors.Join(err, api.RemoveDeployment(ctx, old))
		}
	}
	if err != nil {
		diags.AddWarning("Earlier deployments of the API stay", hint.Text(err))
	}
}

// Read looks whether the deployment is still there.
func (d *deploymentResource) Read(ctx context.Context, request resource.ReadRequest, r *resource.ReadResponse) {
	var state deploymentModel
	if r.Diagnostics.Append(request.State.Get(ctx, &state)...); r.Diagnostics.HasError() {
		return
	}
	api, err := d.api(ctx, &state)
	var all []string
	if err == nil {
		all, err = api.Deployments(ctx, deploymentDescription)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !slices.Contains(all, state.ID.ValueString()):
		r.State.RemoveResource(ctx)
	case err != nil:
		r.Diagnostics.AddError("The API's deployments cannot be read", hint.Text(err))
	}
}

// Delete removes the deployment. Where a stage still serves it, as in a replacement, it
// goes with the API, or when the next one is made.
func (d *deploymentResource) Delete(ctx context.Context, request resource.DeleteRequest, r *resource.DeleteResponse) {
	var state deploymentModel
	if r.Diagnostics.Append(request.State.Get(ctx, &state)...); r.Diagnostics.HasError() {
		return
	}
	api, err := d.api(ctx, &state)
	if err == nil {
		err = api.RemoveDeployment(ctx, state.ID.ValueString())
	}
	if err != nil {
		r.Diagnostics.AddError("The API's deployment was not removed", hint.Text(err))
	}
}

// ImportState takes REST-API-ID/DEPLOYMENT-ID.
func (*deploymentResource) ImportState(ctx context.Context, request resource.ImportStateRequest, r *resource.ImportStateResponse) {
	api, id, found := strings.Cut(request.ID, "/")
	if !found || api == "" || id == "" {
		r.Diagnostics.AddError("Not a deployment", fmt.Sprintf("%q: write REST-API-ID/DEPLOYMENT-ID.", request.ID))
		return
	}
	r.Diagnostics.Append(r.State.SetAttribute(ctx, path.Root("rest_api_id"), api)...)
	r.Diagnostics.Append(r.State.SetAttribute(ctx, path.Root("id"), id)...)
}
