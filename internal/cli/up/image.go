package up

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/pflag"

	apps "github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/app/presets"
	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/image"
	"github.com/aproorg/sluice/internal/image/rootfs"
	"github.com/aproorg/sluice/internal/image/source"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/tempdir"
)

// imageSource are the flags of up that name an image, and its rehearsal.
type imageSource struct {
	command.AWS
	ref, arch string

	image v1.Image
	app   rehearse.App
}

func (o *imageSource) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.ref, "image", "", "`REF` of an image that sluice image made (or oci:DIR, tar:FILE), to run from its own file system")
	f.StringVar(&o.arch, "image-arch", "amd64", "architecture of the image: amd64 or arm64")
}

// Flags are those of addFlags: an image is no preset.
func (*imageSource) Flags(*flag.FlagSet) {}

// Check looks at the image's configuration.
func (o *imageSource) Check(ctx context.Context, request apps.Request) error {
	if request.Command != "" || request.Name != presets.Rehearsed().Name || len(request.Scratch) > 0 {
		return command.Usagef("--image goes without --app, --command and --scratch: the image has its own")
	}
	registry, err := o.Registry(ctx, o.ref)
	if err != nil {
		return err
	}
	if o.image, err = source.Open(ctx, o.ref, o.arch, registry); err != nil {
		return err
	}
	file, err := o.image.ConfigFile()
	if err != nil {
		return fmt.Errorf("image %s: %w", o.ref, err)
	}
	config := file.Config
	if len(config.Entrypoint) == 0 || config.Entrypoint[0] != image.BootstrapPath {
		return hint.With(fmt.Errorf("image %s: its entry point is %q, not the bootstrap", o.ref, config.Entrypoint), "sluice image --base %s --to oci:out makes one that is", o.ref)
	}
	o.app = rehearse.App{
		Name: o.ref, Command: append(config.Entrypoint, config.Cmd...), Dir: config.WorkingDir,
		Env: request.Env, ImageEnv: config.Env, Port: request.Port, ReadyPath: request.Ready.Path, ReadyStatus: request.Ready.Status,
	}
	return nil
}

// Start unpacks the image.
func (o *imageSource) Start(ctx context.Context, _ string) (apps.Prepared, error) {
	dir, err := tempdir.Make("image")
	if err != nil {
		return apps.Prepared{}, fmt.Errorf("make a place to unpack the image: %w", err)
	}
	o.app.Root = filepath.Join(dir, "root")
	if _, err := rootfs.Unpack(ctx, o.image, o.app.Root); err != nil {
		return apps.Prepared{}, errors.Join(fmt.Errorf("unpack %s: %w", o.ref, err), os.RemoveAll(dir))
	}
	return apps.Prepared{App: o.app, Close: func() error { return os.RemoveAll(dir) }}, nil
}
