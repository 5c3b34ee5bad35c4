package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

func (*imageResource) Schema(_ context.Context, _ resource.SchemaRequest, r *resource.SchemaResponse) {
	computed := func(text string) schema.StringAttribute {
		return schema.StringAttribute{Computed: true, MarkdownDescription: text}
	}
	optional := func(text string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: text}
	}
	r.Schema = schema.Schema{
		MarkdownDescription: "The app's image with Sluice's bootstrap in front and what else the app is known to need, in a registry that Lambda reads. " +
			"It is made without Docker, is the same bytes on every machine, and its digest is known when planning. " +
			"Destroying the resource removes every image that it pushed.",
		Attributes: map[string]schema.Attribute{
			"app": appAttribute("which paths it writes to, which files its image holds, and what it needs besides"),
			"base": schema.StringAttribute{Required: true,
				MarkdownDescription: "The app's own image: `REPOSITORY:TAG`, `REPOSITORY@DIGEST`, `oci:DIR` for an OCI layout or `tar:FILE` for the output of `docker save`."},
			"repository": schema.StringAttribute{Required: true,
				PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
				MarkdownDescription: "Where the image goes, without a tag: `aws_ecr_repository.NAME.repository_url`, or any other registry's. It must exist."},
			"tag": optional("Tag of the image. By default `sluice-` and the digest's first 12 characters, which suits immutable tags."),
			"architecture": schema.StringAttribute{Optional: true, Computed: true, Default: stringdefault.StaticString("x86_64"),
				MarkdownDescription: "`x86_64` (the default) or `arm64`, as the function has it."},
			"links": schema.MapAttribute{Optional: true, Computed: true, ElementType: types.StringType,
				PlanModifiers:       []planmodifier.Map{fromApp{what: "the app's paths", value: linksOf}},
				MarkdownDescription: "Paths that the app writes to, each with the place below `/tmp` that it becomes a link to. By default the app's."},
			"expect": schema.ListAttribute{Optional: true, Computed: true, ElementType: types.StringType,
				PlanModifiers:       []planmodifier.List{fromApp{what: "files of the app's", unless: "links", value: expectOf}},
				MarkdownDescription: "Files that the base must hold, or nothing is pushed. By default files of the app's, or none where `links` are given."},
			"ca_bundle":     optional("Certificates in PEM for `/opt/sluice/ca.pem`, such as DocumentDB's. `environment` names that file as the app wants it."),
			"compile_cache": optional("Directory of compiled code of Node's to add, which shortens a start. `sluice up --image REF --compile-cache DIR` fills it. Its content decides the digest."),
			"environment":   schema.MapAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: "Environment added to the base's. The function's own goes over it. What the app is known to need is there by itself. No secrets."},
			"labels":        schema.MapAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: "Labels added to the base's."},
			"bootstrap":     optional("File of a bootstrap to use in place of sluice's own."),

			"digest":      computed("Digest of the image's manifest, known when planning."),
			"base_digest": computed("Digest of the base's manifest for the architecture."),
			"media_type":  computed("Media type of the manifest: Docker's schema 2 or OCI's, as the base has it."),
			"size":        schema.Int64Attribute{Computed: true, MarkdownDescription: "Bytes of all layers and the configuration, compressed."},
			"added_environment": schema.MapAttribute{Computed: true, ElementType: types.StringType,
				MarkdownDescription: "What is added to the base's environment: the app's variables, `environment`, and for an app that keeps data outside of the image a variable that differs between images."},
			"uri":        computed("The image by digest, for `aws_lambda_function.image_uri`."),
			"pushed_tag": computed("The image by tag."),
		},
	}
}
