package provider

import (
	"context"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

func (*siteResource) Schema(_ context.Context, _ resource.SchemaRequest, r *resource.SchemaResponse) {
	r.Schema = schema.Schema{
		MarkdownDescription: "A built front end in a bucket behind CloudFront. Only changed files are sent, pages last; " +
			"files of earlier releases stay for a time, since open pages ask for them; CloudFront forgets what is cached and changed. " +
			"Destroying the resource removes what it uploaded.",
		Attributes: map[string]schema.Attribute{
			"source": schema.StringAttribute{Required: true,
				MarkdownDescription: "A directory (start it with `${path.module}`), or `image:REF`, `oci:DIR` or `tar:FILE` for an image that holds the site."},
			"app": appAttribute("where its image holds the site"),
			"path": schema.StringAttribute{Optional: true, Computed: true,
				PlanModifiers:       []planmodifier.String{fromApp{what: "the app's directory", value: siteOf}},
				MarkdownDescription: "The site's directory in the image. By default the app's."},
			"include": schema.ListAttribute{Optional: true, ElementType: types.StringType,
				MarkdownDescription: "Patterns of files to publish that otherwise stay out: hidden ones (all with a dot at the start of their name or of a " +
					"directory's above it, but for `/.well-known/`), editors' backups, source maps and compressed copies. A pattern is a name such as `.nojekyll`, at any depth, " +
					"or with a slash a path from the site's root such as `/maps/*.map`."},
			"uploads": schema.BoolAttribute{Optional: true,
				MarkdownDescription: "Whether the pages load, before any other script, the one by which uploads that are too large for Lambda go through S3. The function's `SLUICE_UPLOADS_S3` is the other half."},
			"bucket": schema.StringAttribute{Required: true,
				PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
				MarkdownDescription: "Name of the bucket. It must exist in the provider's region and account."},
			"distribution_id": schema.StringAttribute{Optional: true,
				MarkdownDescription: "The distribution that is to forget changed files. Without it they are seen when its copies expire."},
			"keep": schema.StringAttribute{Optional: true, Computed: true, Default: stringdefault.StaticString("168h"),
				MarkdownDescription: "How long files of earlier releases stay, in hours. `168h`, a week, by default."},

			"release": schema.StringAttribute{Computed: true, MarkdownDescription: "The release's ID, which follows from the files and is known when planning."},
			"files":   schema.Int64Attribute{Computed: true, MarkdownDescription: "Number of files."},
			"changes": schema.StringAttribute{Computed: true, MarkdownDescription: "What the last apply did, or the next will do: `10 new, 1 changed, 1990 unchanged`."},
			"drift": schema.ListAttribute{Computed: true, ElementType: types.StringType,
				MarkdownDescription: "Files that are gone from the bucket or were changed there. The next apply brings them back."},
		},
	}
}

// trimKind leaves a reference that may name a registry.
func trimKind(source string) string {
	ref, ok := strings.CutPrefix(source, "image:")
	if !ok {
		return ""
	}
	return ref
}
