package provider

import (
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/image"
)

// imageModel is what plan and state hold of a sluice_image.
type imageModel struct {
	App          types.String `tfsdk:"app"`
	Base         types.String `tfsdk:"base"`
	Repository   types.String `tfsdk:"repository"`
	Tag          types.String `tfsdk:"tag"`
	Architecture types.String `tfsdk:"architecture"`
	Links        types.Map    `tfsdk:"links"`
	Expect       types.List   `tfsdk:"expect"`
	CABundle     types.String `tfsdk:"ca_bundle"`
	CompileCache types.String `tfsdk:"compile_cache"`
	Environment  types.Map    `tfsdk:"environment"`
	Labels       types.Map    `tfsdk:"labels"`
	Bootstrap    types.String `tfsdk:"bootstrap"`

	Digest     types.String `tfsdk:"digest"`
	BaseDigest types.String `tfsdk:"base_digest"`
	MediaType  types.String `tfsdk:"media_type"`
	Size       types.Int64  `tfsdk:"size"`
	Added      types.Map    `tfsdk:"added_environment"`
	URI        types.String `tfsdk:"uri"`
	PushedTag  types.String `tfsdk:"pushed_tag"`
}

// known tells whether all that the digest follows from is.
func (m *imageModel) known() bool {
	for _, value := range []interface{ IsUnknown() bool }{
		m.App, m.Base, m.Architecture, m.CABundle, m.CompileCache, m.Environment, m.Labels, m.Links, m.Expect, m.Bootstrap,
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
		diags.AddError("The image cannot be made", hint.Text(err))
		return diags
	}
	result, err := img.Describe()
	if err != nil {
		diags.AddError("The image cannot be made", hint.Text(err))
		return diags
	}
	m.Digest, m.BaseDigest = types.StringValue(result.Digest), types.StringValue(result.BaseDigest)
	m.MediaType, m.Size = types.StringValue(result.MediaType), types.Int64Value(result.Size)
	m.Added = added(result)
	m.URI, m.PushedTag = types.StringUnknown(), types.StringUnknown()
	if m.Repository.IsUnknown() || m.Tag.IsUnknown() {
		return diags
	}
	repository, err := name.NewRepository(m.Repository.ValueString())
	if err != nil {
		diags.AddAttributeError(path.Root("repository"), "Not a repository", hint.Text(err))
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

func added(result image.Result) types.Map {
	variables := map[string]attr.Value{}
	for name, value := range result.Environment {
		variables[name] = types.StringValue(value)
	}
	return types.MapValueMust(types.StringType, variables)
}

// goArch takes Lambda's word for an architecture or Go's.
func goArch(name string) string {
	if name == "x86_64" {
		return "amd64"
	}
	return name
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
