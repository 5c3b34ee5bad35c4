package command

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/aproorg/sluice/internal/awsx"
	"github.com/aproorg/sluice/internal/image/registry"
)

// AWS is the flags of commands that call AWS themselves.
type AWS struct {
	awsx.Settings
}

// AddFlags adds --region, --profile and --endpoint.
func (o *AWS) AddFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Region, "region", "", "AWS `REGION` (default: the environment's or the profile's)")
	f.StringVar(&o.Profile, "profile", "", "`NAME` of a profile of the shared AWS configuration")
	f.StringVar(&o.Endpoint, "endpoint", "", "`URL` of an AWS emulator, in place of all of AWS's addresses")
}

// Registry reaches the registries of the references given: with AWS's login where
// one of them is ECR's, else with the Docker configuration's alone.
func (o AWS) Registry(ctx context.Context, refs ...string) (registry.Access, error) {
	for _, ref := range refs {
		if !awsx.IsECR(registryHost(ref)) {
			continue
		}
		config, err := awsx.Load(ctx, o.Settings)
		if err != nil {
			return registry.Access{}, err
		}
		return registry.Access{Keychain: config.Keychain()}, nil
	}
	return registry.Access{}, nil
}

// registryHost is the part of a reference before its first slash.
func registryHost(ref string) string {
	if strings.HasPrefix(ref, "oci:") || strings.HasPrefix(ref, "tar:") {
		return ""
	}
	host, _, _ := strings.Cut(strings.TrimPrefix(ref, "image:"), "/")
	return host
}

// CacheDir is where what was learnt of images is kept, as the provider keeps it;
// empty where the user has no such place.
func CacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "sluice")
}
