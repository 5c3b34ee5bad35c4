package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/aproorg/sluice/internal/awsx"
	"github.com/aproorg/sluice/internal/image"
	"github.com/aproorg/sluice/internal/librechat"
)

// awsOptions are the flags of commands that call AWS themselves.
type awsOptions struct {
	awsx.Settings
}

func (o *awsOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Region, "region", "", "AWS `REGION` (default: the environment's or the profile's)")
	f.StringVar(&o.Profile, "profile", "", "`NAME` of a profile of the shared AWS configuration")
	f.StringVar(&o.Endpoint, "endpoint", "", "`URL` of an AWS emulator, in place of all of AWS's addresses")
}

// registry reaches the registries of the references given: with AWS's login where
// one of them is ECR's, else with the Docker configuration's alone.
func (o awsOptions) registry(ctx context.Context, refs ...string) (image.Registry, error) {
	for _, ref := range refs {
		if !awsx.IsECR(registryHost(ref)) {
			continue
		}
		config, err := awsx.Load(ctx, o.Settings)
		if err != nil {
			return image.Registry{}, err
		}
		return image.Registry{Keychain: config.Keychain()}, nil
	}
	return image.Registry{}, nil
}

// defaultLinks are LibreChat's, in the order of their paths.
func defaultLinks() []image.Link {
	var links []image.Link
	for path, target := range librechat.ImageLinks() {
		links = append(links, image.Link{Path: path, Target: target})
	}
	slices.SortFunc(links, func(a, b image.Link) int { return strings.Compare(a.Path, b.Path) })
	return links
}
