package provider

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/site"
	"github.com/aproorg/sluice/internal/site/frontend"
)

// siteResource is sluice_site: one front end in one bucket.
type siteResource struct{ session *session }

var (
	_ resource.ResourceWithConfigure      = (*siteResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*siteResource)(nil)
	_ resource.ResourceWithImportState    = (*siteResource)(nil)
	_ resource.ResourceWithValidateConfig = (*siteResource)(nil)
)

type siteModel struct {
	Source         types.String `tfsdk:"source"`
	App            types.String `tfsdk:"app"`
	Path           types.String `tfsdk:"path"`
	Bucket         types.String `tfsdk:"bucket"`
	DistributionID types.String `tfsdk:"distribution_id"`
	Keep           types.String `tfsdk:"keep"`
	Include        types.List   `tfsdk:"include"`
	Uploads        types.Bool   `tfsdk:"uploads"`

	Release types.String `tfsdk:"release"`
	Files   types.Int64  `tfsdk:"files"`
	Changes types.String `tfsdk:"changes"`
	Drift   types.List   `tfsdk:"drift"`
}

func (*siteResource) Metadata(_ context.Context, _ resource.MetadataRequest, r *resource.MetadataResponse) {
	r.TypeName = "sluice_site"
}

func (s *siteResource) Configure(_ context.Context, request resource.ConfigureRequest, r *resource.ConfigureResponse) {
	receive(&s.session, request.ProviderData, &r.Diagnostics)
}

// ValidateConfig catches a period or a pattern that cannot be read.
func (s *siteResource) ValidateConfig(ctx context.Context, request resource.ValidateConfigRequest, r *resource.ValidateConfigResponse) {
	var config siteModel
	if r.Diagnostics.Append(request.Config.Get(ctx, &config)...); r.Diagnostics.HasError() {
		return
	}
	if patterns, known := config.include(); known {
		if err := site.CheckInclude(patterns); err != nil {
			r.Diagnostics.AddAttributeError(path.Root("include"), "Not a pattern", hint.Text(err))
		}
	}
	if config.Keep.IsUnknown() || config.Keep.IsNull() {
		return
	}
	if keep, err := time.ParseDuration(config.Keep.ValueString()); err != nil || keep <= 0 {
		r.Diagnostics.AddAttributeError(path.Root("keep"), "Not a period", fmt.Sprintf("%q: write hours, such as \"168h\" for a week.", config.Keep.ValueString()))
	}
}

// ModifyPlan compares the site with the bucket, so that the plan says how many
// files change, and is empty where none does.
func (s *siteResource) ModifyPlan(ctx context.Context, request resource.ModifyPlanRequest, r *resource.ModifyPlanResponse) {
	if request.Plan.Raw.IsNull() || s.session == nil {
		return // destroy
	}
	var plan siteModel
	if r.Diagnostics.Append(request.Plan.Get(ctx, &plan)...); r.Diagnostics.HasError() || plan.Source.IsUnknown() || plan.Path.IsUnknown() {
		return
	}
	if _, known := plan.include(); !known || plan.Uploads.IsUnknown() {
		return
	}
	var state *siteModel
	if !request.State.Raw.IsNull() {
		state = &siteModel{}
		if r.Diagnostics.Append(request.State.Get(ctx, state)...); r.Diagnostics.HasError() {
			return
		}
	}
	if err := s.plan(ctx, &plan, state, &r.Diagnostics); err != nil {
		r.Diagnostics.AddError("The site cannot be planned", hint.Text(err))
		return
	}
	r.Diagnostics.Append(r.Plan.Set(ctx, &plan)...)
}

func (s *siteResource) plan(ctx context.Context, plan, state *siteModel, diags *diag.Diagnostics) error {
	options, closeSource, err := s.options(ctx, plan, diags)
	if err != nil {
		return err
	}
	defer closeSource()
	plan.Drift = types.ListValueMust(types.StringType, nil)
	found, err := s.compare(ctx, options)
	if err != nil {
		return err
	}
	plan.set(found.Release, found.Files, found.Summary())
	switch {
	case state == nil:
	case found.Empty():
		plan.Changes = state.Changes
	case state.Changes.Equal(plan.Changes) && state.Release.Equal(plan.Release):
		plan.Changes = types.StringUnknown() // the same words, but there is work to do
	}
	return nil
}

// compare takes a bucket that is still to be made for an empty one.
func (*siteResource) compare(ctx context.Context, options site.Options) (*site.Plan, error) {
	found, err := site.MakePlan(ctx, options)
	if errors.Is(err, fs.ErrNotExist) && options.Store != nil && options.Store.Check(ctx) != nil {
		options.Store = nil
		return site.MakePlan(ctx, options)
	}
	return found, err
}

// include are the patterns, if all of them are known.
func (m *siteModel) include() (patterns []string, known bool) {
	if m.Include.IsUnknown() {
		return nil, false
	}
	for _, element := range m.Include.Elements() {
		text, ok := element.(types.String)
		if !ok || text.IsUnknown() {
			return nil, false
		}
		patterns = append(patterns, text.ValueString())
	}
	return patterns, true
}

func (m *siteModel) set(release string, files int, changes string) {
	m.Release, m.Files, m.Changes = types.StringValue(release), types.Int64Value(int64(files)), types.StringValue(changes)
}

func (s *siteResource) Create(ctx context.Context, request resource.CreateRequest, r *resource.CreateResponse) {
	var plan siteModel
	if r.Diagnostics.Append(request.Plan.Get(ctx, &plan)...); r.Diagnostics.HasError() {
		return
	}
	s.apply(ctx, &plan, &r.Diagnostics)
	if !r.Diagnostics.HasError() {
		r.Diagnostics.Append(r.State.Set(ctx, &plan)...)
	}
}

func (s *siteResource) Update(ctx context.Context, request resource.UpdateRequest, r *resource.UpdateResponse) {
	var plan siteModel
	if r.Diagnostics.Append(request.Plan.Get(ctx, &plan)...); r.Diagnostics.HasError() {
		return
	}
	s.apply(ctx, &plan, &r.Diagnostics)
	if !r.Diagnostics.HasError() {
		r.Diagnostics.Append(r.State.Set(ctx, &plan)...)
	}
}

func (s *siteResource) apply(ctx context.Context, plan *siteModel, diags *diag.Diagnostics) {
	options, closeSource, err := s.options(ctx, plan, diags)
	if err != nil {
		diags.AddError("The site cannot be deployed", hint.Text(err))
		return
	}
	defer closeSource()
	found, err := site.MakePlan(ctx, options)
	if err == nil && !plan.Release.IsUnknown() && found.Release != plan.Release.ValueString() {
		err = hint.With(fmt.Errorf("planned release %s, but the files are %s now", plan.Release.ValueString(), found.Release), "plan again")
	}
	if err == nil {
		_, err = found.Apply(ctx, options)
	}
	if err != nil {
		diags.AddError("The site was not deployed", hint.Text(err))
		return
	}
	changes := plan.Changes
	plan.set(found.Release, found.Files, found.Summary())
	if !changes.IsUnknown() {
		plan.Changes = changes // as the plan said
	}
	plan.Drift = types.ListValueMust(types.StringType, nil)
}

// Read looks for files that are gone from the bucket or that somebody changed.
func (s *siteResource) Read(ctx context.Context, request resource.ReadRequest, r *resource.ReadResponse) {
	var state siteModel
	if r.Diagnostics.Append(request.State.Get(ctx, &state)...); r.Diagnostics.HasError() {
		return
	}
	bucket, err := s.session.bucket(ctx, state.Bucket.ValueString())
	if err != nil {
		r.Diagnostics.AddError("The bucket cannot be read", hint.Text(err))
		return
	}
	found, err := site.Inspect(ctx, bucket)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && found.Release == "":
		r.State.RemoveResource(ctx)
		return
	case err != nil:
		r.Diagnostics.AddError("The bucket cannot be read", hint.Text(err))
		return
	}
	drift := append(found.Missing, found.Altered...)
	if found.Unfinished {
		drift = append(drift, "(a run was interrupted)")
	}
	list, diags := types.ListValueFrom(ctx, types.StringType, drift)
	if drift == nil {
		list = types.ListValueMust(types.StringType, nil)
	}
	r.Diagnostics.Append(diags...)
	state.Drift, state.Release, state.Files = list, types.StringValue(found.Release), types.Int64Value(int64(found.Files))
	r.Diagnostics.Append(r.State.Set(ctx, &state)...)
}

// Delete removes what the resource has uploaded and nothing else.
func (s *siteResource) Delete(ctx context.Context, request resource.DeleteRequest, r *resource.DeleteResponse) {
	var state siteModel
	if r.Diagnostics.Append(request.State.Get(ctx, &state)...); r.Diagnostics.HasError() {
		return
	}
	bucket, err := s.session.bucket(ctx, state.Bucket.ValueString())
	if err == nil {
		_, err = site.Remove(ctx, site.Options{Store: bucket})
	}
	if err != nil {
		r.Diagnostics.AddError("The site was not removed", hint.Text(err))
	}
}

// ImportState takes the bucket's name.
func (s *siteResource) ImportState(ctx context.Context, request resource.ImportStateRequest, r *resource.ImportStateResponse) {
	resource.ImportStatePassthroughID(ctx, path.Root("bucket"), request, r)
}

// options are package site's. Store is nil while the bucket's name is unknown.
// What the cache of sites had to mend becomes a warning.
func (s *siteResource) options(ctx context.Context, plan *siteModel, diags *diag.Diagnostics) (site.Options, func() error, error) {
	registry, err := s.session.registry(ctx, trimKind(plan.Source.ValueString()))
	if err != nil {
		return site.Options{}, nil, err
	}
	options := site.Options{}
	options.Include, _ = plan.include()
	if !plan.Keep.IsUnknown() && plan.Keep.ValueString() != "" {
		if options.Keep, err = time.ParseDuration(plan.Keep.ValueString()); err != nil {
			return site.Options{}, nil, err
		}
	}
	if !plan.Bucket.IsUnknown() {
		bucket, err := s.session.bucket(ctx, plan.Bucket.ValueString())
		if err != nil {
			return site.Options{}, nil, err
		}
		options.Store = bucket
	}
	if id := plan.DistributionID.ValueString(); id != "" {
		config, err := s.session.config(ctx)
		if err != nil {
			return site.Options{}, nil, err
		}
		options.Invalidator = config.Distribution(id)
	}
	source, err := frontend.Open(ctx, frontend.From{
		Ref: plan.Source.ValueString(), Path: plan.Path.ValueString(), CacheDir: s.session.cacheDir, Registry: registry,
		Warn: func(err error) { diags.AddWarning("The site is taken out of its image anew", hint.Text(err)) },
	})
	if err != nil {
		return site.Options{}, nil, err
	}
	options.Source = source
	if plan.Uploads.ValueBool() {
		if options.Source, err = site.WithUploads(source); err != nil {
			return site.Options{}, nil, errors.Join(err, source.Close())
		}
	}
	return options, source.Close, nil
}
