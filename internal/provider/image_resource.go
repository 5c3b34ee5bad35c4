package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/aproorg/sluice/internal/app/presets"
	"github.com/aproorg/sluice/internal/awsx"
	"github.com/aproorg/sluice/internal/bootstrapbin"
	"github.com/aproorg/sluice/internal/bounded"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/image"
	"github.com/aproorg/sluice/internal/image/registry"
)

// imageResource is sluice_image: one image in one repository.
type imageResource struct{ session *session }

var (
	_ resource.ResourceWithConfigure   = (*imageResource)(nil)
	_ resource.ResourceWithModifyPlan  = (*imageResource)(nil)
	_ resource.ResourceWithImportState = (*imageResource)(nil)
)

func (*imageResource) Metadata(_ context.Context, _ resource.MetadataRequest, r *resource.MetadataResponse) {
	r.TypeName = "sluice_image"
}

func (i *imageResource) Configure(_ context.Context, request resource.ConfigureRequest, r *resource.ConfigureResponse) {
	receive(&i.session, request.ProviderData, &r.Diagnostics)
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
		r.Diagnostics.AddError("The image cannot be made", hint.Text(err))
		return
	}
	img, err := image.Compute(ctx, options)
	if err != nil {
		r.Diagnostics.AddError("The image cannot be made", hint.Text(err))
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
		diags.AddError("The image cannot be made", hint.Text(err))
		return
	}
	result, err := image.Build(ctx, options)
	if err != nil {
		diags.AddError("The image was not pushed", hint.Text(err))
		return
	}
	plan.Digest, plan.BaseDigest = types.StringValue(result.Digest), types.StringValue(result.BaseDigest)
	plan.MediaType, plan.Size = types.StringValue(result.MediaType), types.Int64Value(result.Size)
	plan.Added = added(result)
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
		err = hint.With(fmt.Errorf("planned %s, but it would be %s now: the base's tag has moved, or sluice was changed", plan.Digest.ValueString(), digest), "plan again")
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
		r.Diagnostics.AddError("The registry cannot be asked", hint.Text(err))
		return
	}
	there, err := registry.Exists(ctx, uri)
	if err != nil {
		r.Diagnostics.AddError("The registry cannot be asked", hint.Text(err))
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
			r.Diagnostics.AddError("The image was not deleted", hint.Text(err))
			return
		}
	}
}

func (i *imageResource) delete(ctx context.Context, state *imageModel, digest string) error {
	parsed, err := name.NewRepository(state.Repository.ValueString())
	if err != nil {
		return err
	}
	if registry := (registry.Access{Transport: i.session.transport}); !awsx.IsECR(parsed.RegistryStr()) {
		err := registry.Delete(ctx, parsed.Digest(digest).Name())
		if tag := state.PushedTag.ValueString(); err == nil && tag != "" && digest == state.Digest.ValueString() {
			err = registry.Untag(ctx, tag)
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
		r.Diagnostics.AddError("Not an image by digest", hint.Text(hint.With(err, "tofu import ADDRESS REPOSITORY@sha256:…")))
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
		Labels: texts(plan.Labels), Expect: list(plan.Expect), Links: image.Links(texts(plan.Links)),
	}
	preset, _ := presets.Find(plan.App.ValueString()) // validated; none after an import
	options.Files, options.Env, options.ReleaseVariable = preset.Image.Files, map[string]string{}, preset.Image.Release
	maps.Copy(options.Env, preset.Image.Env)
	maps.Copy(options.Env, texts(plan.Environment))
	if !plan.Repository.IsUnknown() {
		options.To = plan.Repository.ValueString()
		if tag := plan.Tag.ValueString(); tag != "" {
			options.To += ":" + tag
		}
	}
	var err error
	if dir := plan.CompileCache.ValueString(); dir != "" {
		if options.CompileCache, err = image.ReadCompileCache(dir); err != nil {
			return options, err
		}
	}
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
	content, err := bounded.ReadFile(file, image.MaxBootstrap)
	if errors.Is(err, os.ErrNotExist) {
		return nil, hint.With(fmt.Errorf("bootstrap: %w", err), "leave the attribute out to use sluice's own")
	}
	return content, err
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
