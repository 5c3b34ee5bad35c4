// Package provider is Sluice as a Terraform provider: sluice_image, sluice_site,
// sluice_api_deployment, sluice_active_versions and sluice_function_versions, the parts of a
// deployment that no other provider does well, and the data sources sluice_certificate and sluice_object.
// The plan knows the image's digest and the site's release before anything is
// sent, and is empty when nothing changed.
//
// The sluice executable itself is the plugin: OpenTofu and Terraform start it
// under another name, and package plugin puts it where they look. All work is done
// by packages image and site; this one maps it to plan and state.
package provider

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/aproorg/sluice/internal/awsx"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/image/registry"
)

// Address is the provider's source address. Terraform users write
// "aproorg/sluice", which each tool completes with its own registry.
const Address = "registry.opentofu.org/aproorg/sluice"

// Serve speaks Terraform's plugin protocol on standard output until the tool
// that started this process ends it.
func Serve(ctx context.Context, version string) error {
	if err := providerserver.Serve(ctx, New(version), providerserver.ServeOpts{Address: Address}); err != nil {
		return fmt.Errorf("serve the Terraform provider: %w", err)
	}
	return nil
}

// New returns the provider's factory.
func New(version string) func() provider.Provider {
	return func() provider.Provider { return &sluice{version: version} }
}

type sluice struct{ version string }

type providerModel struct {
	Region           types.String `tfsdk:"region"`
	Profile          types.String `tfsdk:"profile"`
	Endpoint         types.String `tfsdk:"endpoint"`
	RegistryEndpoint types.String `tfsdk:"registry_endpoint"`
	CacheDir         types.String `tfsdk:"cache_dir"`
}

func (p *sluice) Metadata(_ context.Context, _ provider.MetadataRequest, r *provider.MetadataResponse) {
	r.TypeName, r.Version = "sluice", p.version
}

func (p *sluice) Schema(_ context.Context, _ provider.SchemaRequest, r *provider.SchemaResponse) {
	optional := func(text string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: text}
	}
	r.Schema = schema.Schema{
		MarkdownDescription: "An image for Lambda and a site for CloudFront, without Docker and without Node; deployments of a REST API, the wait for a function's new versions and the end of old ones, a domain's certificate, and whether an object is there. " +
			"Credentials and region come from where the AWS CLI finds them.",
		Attributes: map[string]schema.Attribute{
			"region":            optional("AWS region of the bucket. By default the environment's or the profile's."),
			"profile":           optional("Profile of the shared AWS configuration."),
			"endpoint":          optional("URL of an AWS emulator, such as moto's. `AWS_ENDPOINT_URL` does the same."),
			"registry_endpoint": optional("URL of a registry that stands in for ECR's where AWS is emulated."),
			"cache_dir":         optional("Where sites taken out of images are kept. By default below the user's cache directory."),
		},
	}
}

func (p *sluice) Configure(_ context.Context, request provider.ConfigureRequest, r *provider.ConfigureResponse) {
	var model providerModel
	if r.Diagnostics.Append(request.Config.Get(context.Background(), &model)...); r.Diagnostics.HasError() {
		return
	}
	session := &session{
		settings:  awsx.Settings{Region: model.Region.ValueString(), Profile: model.Profile.ValueString(), Endpoint: model.Endpoint.ValueString()},
		cacheDir:  model.CacheDir.ValueString(),
		transport: remote.DefaultTransport,
	}
	if endpoint := model.RegistryEndpoint.ValueString(); endpoint != "" {
		transport, err := awsx.EmulatedRegistry(endpoint, remote.DefaultTransport)
		if err != nil {
			r.Diagnostics.AddError("The provider's registry_endpoint", hint.Text(err))
			return
		}
		session.transport = transport
	}
	if session.cacheDir == "" {
		if dir, err := os.UserCacheDir(); err == nil {
			session.cacheDir = filepath.Join(dir, "sluice")
		}
	}
	r.ResourceData, r.DataSourceData = session, session
}

func (p *sluice) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{
		func() resource.Resource { return &imageResource{} },
		func() resource.Resource { return &siteResource{} },
		func() resource.Resource { return &deploymentResource{} },
		func() resource.Resource { return &activeResource{} },
		func() resource.Resource { return &versionsResource{} },
	}
}

func (p *sluice) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{
		func() datasource.DataSource { return &certificateData{} },
		func() datasource.DataSource { return &objectData{} },
	}
}

// session is what the resources share: AWS, asked for when first needed, since
// an image between two other registries needs none.
type session struct {
	settings  awsx.Settings
	cacheDir  string
	transport http.RoundTripper

	mu    sync.Mutex
	aws   *awsx.Config
	owner string
}

func (s *session) config(ctx context.Context) (*awsx.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aws != nil {
		return s.aws, nil
	}
	config, err := awsx.Load(ctx, s.settings)
	if err != nil {
		return nil, err
	}
	s.aws = config
	return config, nil
}

// bucket returns a bucket that must be the account's own. Who that is cannot be
// asked of every emulator; then the bucket's name has to do.
func (s *session) bucket(ctx context.Context, name string) (*awsx.Bucket, error) {
	config, err := s.config(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner == "" && !config.Emulated() {
		if s.owner, err = config.Account(ctx); err != nil {
			return nil, err
		}
	}
	return config.Bucket(name, s.owner), nil
}

// registry has ECR's login where one of the references is ECR's.
func (s *session) registry(ctx context.Context, refs ...string) (registry.Access, error) {
	registry := registry.Access{Transport: s.transport}
	for _, ref := range refs {
		if !ecr(ref) {
			continue
		}
		config, err := s.config(ctx)
		if err != nil {
			return registry, err
		}
		registry.Keychain = config.Keychain()
	}
	return registry, nil
}

func ecr(ref string) bool {
	parsed, err := name.ParseReference(ref)
	return err == nil && awsx.IsECR(parsed.Context().RegistryStr())
}

// receive takes the session in the Configure of a resource or data source.
func receive(to **session, data any, diags *diag.Diagnostics) {
	if data == nil {
		return // validation only
	}
	session, ok := data.(*session)
	if !ok {
		diags.AddError("The provider is broken", fmt.Sprintf("got %T as its session", data))
		return
	}
	*to = session
}
