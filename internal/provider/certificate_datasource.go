package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/aproorg/sluice/internal/hint"
)

// certificateData is sluice_certificate: aws_acm_certificate finds certificates by their
// main name alone, and says nothing of the others.
type certificateData struct{ session *session }

var _ datasource.DataSourceWithConfigure = (*certificateData)(nil)

type certificateModel struct {
	Domain types.String `tfsdk:"domain"`
	ARN    types.String `tfsdk:"arn"`
}

func (*certificateData) Metadata(_ context.Context, _ datasource.MetadataRequest, r *datasource.MetadataResponse) {
	r.TypeName = "sluice_certificate"
}

func (c *certificateData) Configure(_ context.Context, request datasource.ConfigureRequest, r *datasource.ConfigureResponse) {
	receive(&c.session, request.ProviderData, &r.Diagnostics)
}

func (*certificateData) Schema(_ context.Context, _ datasource.SchemaRequest, r *datasource.SchemaResponse) {
	r.Schema = schema.Schema{
		MarkdownDescription: "The certificate of ACM by which CloudFront serves a domain: of us-east-1, issued, not expired, with a key that CloudFront takes, and for the domain, " +
			"be that its main name or another one. A wildcard covers one label. What is wrong with it fails the plan.",
		Attributes: map[string]schema.Attribute{
			"domain": schema.StringAttribute{Required: true, MarkdownDescription: "The domain, such as `chat.example.com`."},
			"arn": schema.StringAttribute{Optional: true, Computed: true,
				MarkdownDescription: "The certificate. By default it is found by the domain: of several the one that expires last."},
		},
	}
}

func (c *certificateData) Read(ctx context.Context, request datasource.ReadRequest, r *datasource.ReadResponse) {
	var model certificateModel
	if r.Diagnostics.Append(request.Config.Get(ctx, &model)...); r.Diagnostics.HasError() {
		return
	}
	at := "domain"
	if !model.ARN.IsNull() {
		at = "arn"
	}
	config, err := c.session.config(ctx)
	if err == nil {
		var found string
		found, err = config.DomainCertificate(ctx, model.Domain.ValueString(), model.ARN.ValueString())
		model.ARN = types.StringValue(found)
	}
	if err != nil {
		r.Diagnostics.AddAttributeError(path.Root(at), "CloudFront would have no certificate for "+model.Domain.ValueString(), hint.Text(err))
		return
	}
	r.Diagnostics.Append(r.State.Set(ctx, &model)...)
}
