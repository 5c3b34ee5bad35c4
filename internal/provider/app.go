package provider

import (
	"context"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/app/presets"
)

// appAttribute names the app whose facts are the defaults of other attributes.
func appAttribute(facts string) schema.StringAttribute {
	return schema.StringAttribute{Optional: true, Computed: true, Default: stringdefault.StaticString(presets.Shipped().Name),
		Validators:          []validator.String{knownApp{}},
		MarkdownDescription: "The app, of which Sluice knows " + facts + ": `" + strings.Join(presets.Names(), "`, `") + "`. By default `" + presets.Shipped().Name + "`."}
}

type knownApp struct{}

func (knownApp) Description(context.Context) string {
	return "must be one of " + strings.Join(presets.Names(), ", ")
}

func (k knownApp) MarkdownDescription(ctx context.Context) string { return k.Description(ctx) }

func (k knownApp) ValidateString(ctx context.Context, request validator.StringRequest, r *validator.StringResponse) {
	if name := request.ConfigValue; !name.IsNull() && !name.IsUnknown() {
		if _, ok := presets.Find(name.ValueString()); !ok {
			r.Diagnostics.AddAttributeError(request.Path, "No such app is known", "app = \""+name.ValueString()+"\" "+k.Description(ctx)+".")
		}
	}
}

// fromApp is the value of an attribute that the configuration leaves out: a fact of
// the app, unless the attribute unless is set.
type fromApp struct {
	what   string
	unless string
	value  func(app.Preset) attr.Value
}

func (f fromApp) Description(context.Context) string             { return f.what + ", where nothing is given" }
func (f fromApp) MarkdownDescription(ctx context.Context) string { return f.Description(ctx) }

// plan returns the value to plan, and false where the configuration has one or the
// app is not known yet.
func (f fromApp) plan(ctx context.Context, configured attr.Value, config tfsdk.Config) (attr.Value, bool) {
	if !configured.IsNull() {
		return nil, false
	}
	var name types.String
	if config.GetAttribute(ctx, path.Root("app"), &name).HasError() || name.IsUnknown() {
		return nil, false
	}
	preset := presets.Shipped()
	if !name.IsNull() {
		preset, _ = presets.Find(name.ValueString()) // validated
	}
	if f.unless != "" {
		var other types.Map
		if config.GetAttribute(ctx, path.Root(f.unless), &other).HasError() || !other.IsNull() {
			preset = app.Preset{}
		}
	}
	return f.value(preset), true
}

func (f fromApp) PlanModifyMap(ctx context.Context, request planmodifier.MapRequest, r *planmodifier.MapResponse) {
	if value, ok := f.plan(ctx, request.ConfigValue, request.Config); ok {
		r.PlanValue = value.(types.Map)
	}
}

func (f fromApp) PlanModifyList(ctx context.Context, request planmodifier.ListRequest, r *planmodifier.ListResponse) {
	if value, ok := f.plan(ctx, request.ConfigValue, request.Config); ok {
		r.PlanValue = value.(types.List)
	}
}

func (f fromApp) PlanModifyString(ctx context.Context, request planmodifier.StringRequest, r *planmodifier.StringResponse) {
	if value, ok := f.plan(ctx, request.ConfigValue, request.Config); ok {
		r.PlanValue = value.(types.String)
	}
}

func linksOf(p app.Preset) attr.Value {
	links := map[string]attr.Value{}
	for path, target := range p.Image.Links {
		links[path] = types.StringValue(target)
	}
	return types.MapValueMust(types.StringType, links)
}

func expectOf(p app.Preset) attr.Value {
	files := []attr.Value{}
	for _, file := range p.Image.Expect {
		files = append(files, types.StringValue(file))
	}
	return types.ListValueMust(types.StringType, files)
}

func siteOf(p app.Preset) attr.Value { return types.StringValue(p.Image.Site) }
