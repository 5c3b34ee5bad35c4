package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/aproorg/sluice/internal/awsx"
	"github.com/aproorg/sluice/internal/bootstrapbin"
	"github.com/aproorg/sluice/internal/image"
)

// imageResource is sluice_image: one image in one repository.
type imageResource struct{ session *session }

var (
	_ resource.ResourceWithConfigure   = (*imageResource)(nil)
	_ resource.ResourceWithModifyPlan  = (*imageResource)(nil)
	_ resource.ResourceWithImportState = (*imageResource)(nil)
)

type imageModel struct {
	Base         types.String `tfsdk:"base"`
	Repository   types.String `tfsdk:"repository"`
	Tag          types.String `tfsdk:"tag"`
	Architecture types.String `tfsdk:"architecture"`
	Links        types.Map    `tfsdk:"links"`
	Expect       types.List   `tfsdk:"expect"`
	CABundle     types.String `tfsdk:"ca_bundle"`
	Environment  types.Map    `tfsdk:"environment"`
	Labels       types.Map    `tfsdk:"labels"`
	Bootstrap    types.String `tfsdk:"bootstrap"`

	Digest     types.String `tfsdk:"digest"`
	BaseDigest types.String `tfsdk:"base_digest"`
	MediaType  types.String `tfsdk:"media_type"`
	Size       types.Int64  `tfsdk:"size"`
	URI        types.String `tfsdk:"uri"`
	PushedTag  types.String `tfsdk:"pushed_tag"`
}

func (*imageResource) Metadata(_ context.Context, _ resource.MetadataRequest, r *resource.MetadataResponse) {
	r.TypeName = "sluice_image"
}

func (i *imageResource) Configure(_ context.Context, request resource.ConfigureRequest, r *resource.ConfigureResponse) {
	receive(&i.session, request.ProviderData, r)
}

// ModifyPlan works the digest out, so that what refers to it is planned too.
func (i *imageResource) ModifyPlan(ctx context.Context, request resource.ModifyPlanRequest, r *resource.ModifyPlanResponse) {
	if request.Plan.Raw.IsNull() || i.session == nil {
		return // destroy
	}
	var plan imageModel
	if r.Diagnostics.Append(request.Plan.Get(ctx, &plan)...); r.Diagnostics.HasError() {
		return
	}
	if !plan.known() {
		return
	}
	options, err := i.options(ctx, &plan)
	if err != nil {
		r.Diagnostics.AddError("The image cannot be made", err.Error())
		return
	}
	img, err := image.Compute(ctx, options)
	if err != nil {
		r.Diagnostics.AddError("The image cannot be made", err.Error())
		return
	}
	r.Diagnostics.Append(plan.computed(img)...)
	r.Diagnostics.Append(r.Plan.Set(ctx, &plan)...)
}

func (i *imageResource) Create(ctx context.Context, request resource.CreateRequest, r *resource.CreateResponse) {
	var plan imageModel
	if r.Diagnostics.Append(request.Plan.Get(ctx, &plan)...); r.Diagnostics.HasError() {
		return
	}
	i.push(ctx, &plan, &r.Diagnostics)
	if r.Diagnostics.HasError() {
		return
	}
	r.Diagnostics.Append(r.Private.SetKey(ctx, pushedKey, remember(nil, plan.Digest))...)
	r.Diagnostics.Append(r.State.Set(ctx, &plan)...)
}

func (i *imageResource) Update(ctx context.Context, request resource.UpdateRequest, r *resource.UpdateResponse) {
	var plan imageModel
	if r.Diagnostics.Append(request.Plan.Get(ctx, &plan)...); r.Diagnostics.HasError() {
		return
	}
	i.push(ctx, &plan, &r.Diagnostics)
	if r.Diagnostics.HasError() {
		return
	}
	before, diags := request.Private.GetKey(ctx, pushedKey)
	r.Diagnostics.Append(diags...)
	r.Diagnostics.Append(r.Private.SetKey(ctx, pushedKey, remember(before, plan.Digest))...)
	r.Diagnostics.Append(r.State.Set(ctx, &plan)...)
}

// push makes sure that what was planned is what is sent: a base's tag may have
// moved between plan and apply.
func (i *imageResource) push(ctx context.Context, plan *imageModel, diags *diag.Diagnostics) {
	options, err := i.options(ctx, plan)
	if err == nil {
		err = i.checkPlanned(ctx, plan, options)
	}
	if err != nil {
		diags.AddError("The image cannot be made", err.Error())
		return
	}
	result, err := image.Build(ctx, options)
	if err != nil {
		diags.AddError("The image was not pushed", err.Error())
		return
	}
	plan.Digest, plan.BaseDigest = types.StringValue(result.Digest), types.StringValue(result.BaseDigest)
	plan.MediaType, plan.Size = types.StringValue(result.MediaType), types.Int64Value(result.Size)
	plan.URI, plan.PushedTag = types.StringValue(result.Reference), types.StringValue(result.Tag)
}

func (i *imageResource) checkPlanned(ctx context.Context, plan *imageModel, options image.Options) error {
	if plan.Digest.IsUnknown() {
		return nil
	}
	img, err := image.Compute(ctx, options)
	if err != nil {
		return err
	}
	digest, err := img.Digest()
	if err == nil && digest.String() != plan.Digest.ValueString() {
		err = fmt.Errorf("planned %s, but it would be %s now: the base's tag has moved, or sluice was changed (hint: plan again)", plan.Digest.ValueString(), digest)
	}
	return err
}

// Read finds out whether the image is still there.
func (i *imageResource) Read(ctx context.Context, request resource.ReadRequest, r *resource.ReadResponse) {
	var state imageModel
	if r.Diagnostics.Append(request.State.Get(ctx, &state)...); r.Diagnostics.HasError() {
		return
	}
	uri := state.URI.ValueString()
	registry, err := i.session.registry(ctx, uri)
	if err != nil {
		r.Diagnostics.AddError("The registry cannot be asked", err.Error())
		return
	}
	there, err := image.Exists(ctx, uri, registry)
	if err != nil {
		r.Diagnostics.AddError("The registry cannot be asked", err.Error())
		return
	}
	if !there {
		r.State.RemoveResource(ctx)
	}
}

// Delete removes every image that this resource has pushed.
func (i *imageResource) Delete(ctx context.Context, request resource.DeleteRequest, r *resource.DeleteResponse) {
	var state imageModel
	if r.Diagnostics.Append(request.State.Get(ctx, &state)...); r.Diagnostics.HasError() {
		return
	}
	private, diags := request.Private.GetKey(ctx, pushedKey)
	if r.Diagnostics.Append(diags...); r.Diagnostics.HasError() {
		return
	}
	for _, digest := range recall(remember(private, state.Digest)) {
		if err := i.delete(ctx, &state, digest); err != nil {
			r.Diagnostics.AddError("The image was not deleted", err.Error())
			return
		}
	}
}

func (i *imageResource) delete(ctx context.Context, state *imageModel, digest string) error {
	parsed, err := name.NewRepository(state.Repository.ValueString())
	if err != nil {
		return err
	}
	if registry := (image.Registry{Transport: i.session.transport}); !awsx.IsECR(parsed.RegistryStr()) {
		err := image.Delete(ctx, parsed.Digest(digest).Name(), registry)
		if tag := state.PushedTag.ValueString(); err == nil && tag != "" && digest == state.Digest.ValueString() {
			err = image.Untag(ctx, tag, registry)
		}
		return err
	}
	config, err := i.session.config(ctx)
	if err != nil {
		return err
	}
	return config.DeleteImage(ctx, parsed.RegistryStr(), parsed.RepositoryStr(), digest)
}

// ImportState takes REPOSITORY@DIGEST. The rest follows from the configuration
// at the next plan.
func (i *imageResource) ImportState(ctx context.Context, request resource.ImportStateRequest, r *resource.ImportStateResponse) {
	digest, err := name.NewDigest(request.ID)
	if err != nil {
		r.Diagnostics.AddError("Not an image by digest", fmt.Sprintf("%v (hint: tofu import ADDRESS REPOSITORY@sha256:…)", err))
		return
	}
	for attribute, value := range map[string]string{
		"repository": strings.TrimSuffix(request.ID, "@"+digest.DigestStr()), "digest": digest.DigestStr(), "uri": digest.Name(),
	} {
		r.Diagnostics.Append(r.State.SetAttribute(ctx, path.Root(attribute), value)...)
	}
}

// options are package image's for a plan whose inputs are known.
func (i *imageResource) options(ctx context.Context, plan *imageModel) (image.Options, error) {
	options := image.Options{
		Base: plan.Base.ValueString(), Arch: goArch(plan.Architecture.ValueString()),
		CABundle: []byte(plan.CABundle.ValueString()), CacheDir: i.session.cacheDir,
		Env: texts(plan.Environment), Labels: texts(plan.Labels), Expect: list(plan.Expect),
	}
	for from, to := range texts(plan.Links) {
		options.Links = append(options.Links, image.Link{Path: from, Target: to})
	}
	if !plan.Repository.IsUnknown() {
		options.To = plan.Repository.ValueString()
		if tag := plan.Tag.ValueString(); tag != "" {
			options.To += ":" + tag
		}
	}
	var err error
	if options.Bootstrap, err = bootstrap(ctx, plan.Bootstrap.ValueString(), options.Arch); err != nil {
		return options, err
	}
	options.Registry, err = i.session.registry(ctx, options.Base, options.To)
	return options, err
}

func bootstrap(ctx context.Context, file, arch string) ([]byte, error) {
	if file == "" {
		return bootstrapbin.Binary(ctx, arch)
	}
	content, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("bootstrap: %w (hint: leave the attribute out to use sluice's own)", err)
	}
	return content, err
}

// goArch takes Lambda's word for an architecture or Go's.
func goArch(name string) string {
	if name == "x86_64" {
		return "amd64"
	}
	return name
}

// known tells whether all that the digest follows from is.
func (m *imageModel) known() bool {
	for _, value := range []interface{ IsUnknown() bool }{
		m.Base, m.Architecture, m.CABundle, m.Environment, m.Labels, m.Links, m.Expect, m.Bootstrap,
	} {
		if value.IsUnknown() {
			return false
		}
	}
	for _, elements := range []types.Map{m.Environment, m.Labels, m.Links} {
		for _, value := range elements.Elements() {
			if value.IsUnknown() {
				return false
			}
		}
	}
	return true
}

// computed fills in what the image tells and, if the repository is known, what
// the push will.
func (m *imageModel) computed(img *image.Image) (diags diag.Diagnostics) {
	digest, err := img.Digest()
	if err != nil {
		diags.AddError("The image cannot be made", err.Error())
		return diags
	}
	result, err := img.Describe()
	if err != nil {
		diags.AddError("The image cannot be made", err.Error())
		return diags
	}
	m.Digest, m.BaseDigest = types.StringValue(result.Digest), types.StringValue(result.BaseDigest)
	m.MediaType, m.Size = types.StringValue(result.MediaType), types.Int64Value(result.Size)
	m.URI, m.PushedTag = types.StringUnknown(), types.StringUnknown()
	if m.Repository.IsUnknown() || m.Tag.IsUnknown() {
		return diags
	}
	repository, err := name.NewRepository(m.Repository.ValueString())
	if err != nil {
		diags.AddAttributeError(path.Root("repository"), "Not a repository", err.Error())
		return diags
	}
	tag := m.Tag.ValueString()
	if tag == "" {
		tag = image.DefaultTag(digest)
	}
	m.URI = types.StringValue(repository.Digest(result.Digest).Name())
	m.PushedTag = types.StringValue(repository.Tag(tag).Name())
	return diags
}

// pushedKey holds, in the resource's private state, all digests it has pushed.
const pushedKey = "pushed"

func remember(before []byte, digest types.String) []byte {
	digests := recall(before)
	if value := digest.ValueString(); value != "" && !slices.Contains(digests, value) {
		digests = append(digests, value)
	}
	text, err := json.Marshal(digests)
	if err != nil {
		panic(err) // strings always marshal
	}
	return text
}

// recall reads what remember wrote; a resource that was imported has nothing.
func recall(text []byte) (digests []string) {
	if json.Unmarshal(text, &digests) != nil {
		return nil
	}
	return digests
}

func texts(from types.Map) map[string]string {
	to := map[string]string{}
	for key, value := range from.Elements() {
		if text, ok := value.(types.String); ok {
			to[key] = text.ValueString()
		}
	}
	return to
}

func list(from types.List) (to []string) {
	for _, value := range from.Elements() {
		if text, ok := value.(types.String); ok {
			to = append(to, text.ValueString())
		}
	}
	return to
}
