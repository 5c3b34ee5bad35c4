package provider

import (
	"context"
	"errors"
	"io/fs"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/aproorg/sluice/internal/hint"
)

// objectData is sluice_object: data sources of other providers fail where there is no
// bucket, before a configuration can say which of its variables to change.
type objectData struct{ session *session }

var _ datasource.DataSourceWithConfigure = (*objectData)(nil)

type objectModel struct {
	Bucket  types.String `tfsdk:"bucket"`
	Key     types.String `tfsdk:"key"`
	Missing types.String `tfsdk:"missing"`
}

func (*objectData) Metadata(_ context.Context, _ datasource.MetadataRequest, r *datasource.MetadataResponse) {
	r.TypeName = "sluice_object"
}

func (o *objectData) Configure(_ context.Context, request datasource.ConfigureRequest, r *datasource.ConfigureResponse) {
	receive(&o.session, request.ProviderData, &r.Diagnostics)
}

func (*objectData) Schema(_ context.Context, _ datasource.SchemaRequest, r *datasource.SchemaResponse) {
	r.Schema = schema.Schema{
		MarkdownDescription: "Whether an object is in a bucket of the provider's region, for a condition that says what to change. It needs the right `s3:ListBucket`.",
		Attributes: map[string]schema.Attribute{
			"bucket": schema.StringAttribute{Required: true, MarkdownDescription: "Name of the bucket."},
			"key":    schema.StringAttribute{Required: true, MarkdownDescription: "The object's key."},
			"missing": schema.StringAttribute{Computed: true,
				MarkdownDescription: "`There is no bucket NAME`, or `Bucket NAME has no KEY`; empty where the object is."},
		},
	}
}

func (o *objectData) Read(ctx context.Context, request datasource.ReadRequest, r *datasource.ReadResponse) {
	var model objectModel
	if r.Diagnostics.Append(request.Config.Get(ctx, &model)...); r.Diagnostics.HasError() {
		return
	}
	there := false
	config, err := o.session.config(ctx)
	if err == nil {
		there, err = config.Bucket(model.Bucket.ValueString(), "").Has(ctx, model.Key.ValueString())
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		model.Missing = types.StringValue("There is no bucket " + model.Bucket.ValueString())
	case err != nil:
		r.Diagnostics.AddError("The bucket cannot be read", hint.Text(err))
		return
	case there:
		model.Missing = types.StringValue("")
	default:
		model.Missing = types.StringValue("Bucket " + model.Bucket.ValueString() + " has no " + model.Key.ValueString())
	}
	r.Diagnostics.Append(r.State.Set(ctx, &model)...)
}
