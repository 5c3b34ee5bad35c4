package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/image"
	"github.com/aproorg/sluice/internal/image/rootfs"
	"github.com/aproorg/sluice/internal/image/source"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/tempdir"
)

// imageSource are the flags of up that name an image.
type imageSource struct {
	awsOptions
	ref, arch string
}

func (o *imageSource) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.ref, "image", "", "`REF` of an image that sluice image made (or oci:DIR, tar:FILE), to run from its own file system")
	f.StringVar(&o.arch, "image-arch", "amd64", "architecture of the image: amd64 or arm64")
}

// resolve unpacks the image. The closer removes what was unpacked.
func (o imageSource) resolve(ctx context.Context, app appOptions) (rehearse.Config, io.Closer, error) {
	if app.command != "" || app.app != "demo" || len(app.scratch) > 0 {
		return rehearse.Config{}, nil, &usageError{errors.New("--image goes without --app, --command and --scratch: the image has its own")}
	}
	if err := app.checkReadiness(); err != nil {
		return rehearse.Config{}, nil, err
	}
	env, err := app.environment()
	if err != nil {
		return rehearse.Config{}, nil, err
	}
	registry, err := o.registry(ctx, o.ref)
	if err != nil {
		return rehearse.Config{}, nil, err
	}
	img, err := source.Open(ctx, o.ref, o.arch, registry)
	if err != nil {
		return rehearse.Config{}, nil, err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return rehearse.Config{}, nil, fmt.Errorf("image %s: %w", o.ref, err)
	}
	config := file.Config
	if len(config.Entrypoint) == 0 || config.Entrypoint[0] != image.BootstrapPath {
		return rehearse.Config{}, nil, hint.With(fmt.Errorf("image %s: its entry point is %q, not the bootstrap", o.ref, config.Entrypoint), "sluice image --base %s --to oci:out makes one that is", o.ref)
	}
	dir, err := tempdir.Make("image")
	if err != nil {
		return rehearse.Config{}, nil, fmt.Errorf("make a place to unpack the image: %w", err)
	}
	root := filepath.Join(dir, "root")
	if _, err := rootfs.Unpack(ctx, img, root); err != nil {
		return rehearse.Config{}, nil, errors.Join(fmt.Errorf("unpack %s: %w", o.ref, err), os.RemoveAll(dir))
	}
	return rehearse.Config{App: rehearse.App{
		Name: o.ref, Root: root, Command: append(config.Entrypoint, config.Cmd...), Dir: config.WorkingDir,
		Env: env, ImageEnv: config.Env, Port: app.port, ReadyPath: app.readyPath, ReadyStatus: app.readyStatus,
	}}, directory(dir), nil
}

// directory is removed when it is closed.
type directory string

func (d directory) Close() error { return os.RemoveAll(string(d)) }
