package up

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/pflag"

	apps "github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/app/presets"
	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/image"
	"github.com/aproorg/sluice/internal/image/rootfs"
	"github.com/aproorg/sluice/internal/image/source"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/tempdir"
)

// snapStartLabel says "Allow" of an image whose environments may be clones of each other
// though nothing in it calls restore/next.
// https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-custom.html
const snapStartLabel = "com.amazonaws.lambda.feature.snapstart"

// imageSource are the flags of up that name an image, and its rehearsal.
type imageSource struct {
	command.AWS
	ref, arch string
	compiled  string       // where Node's compiled code goes
	note      func(string) // says what became of it

	image v1.Image
	app   rehearse.App
}

func (o *imageSource) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.ref, "image", "", "`REF` of an image (or oci:DIR, tar:FILE) to run from its own file system: one that sluice image made,\nor any of a Lambda function, with the extensions in it")
	f.StringVar(&o.compiled, "compile-cache", "", "`DIR` that gets the code which Node compiles, for sluice image --compile-cache; with --image")
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
	o.app = rehearse.App{
		Name: o.ref, Command: append(config.Entrypoint, config.Cmd...), Dir: config.WorkingDir,
		Env: request.Env, ImageEnv: config.Env, Port: request.Port, ReadyPath: request.Ready.Path, ReadyStatus: request.Ready.Status,
	}
	o.app.SnapStartLabel = config.Labels[snapStartLabel] == "Allow"
	if len(o.app.Command) == 0 {
		return fmt.Errorf("image %s has no entry point and no command: Lambda cannot start it", o.ref)
	}
	if o.app.Command[0] == image.BootstrapPath {
		return nil
	}
	o.app.Function = &rehearse.Function{}
	if n := len(config.Cmd); n > 0 {
		o.app.Function.Handler = config.Cmd[n-1]
	}
	return request.Refuse("the image's own entry point runs, without the bootstrap; sluice image --base "+o.ref+" makes one that has it", "--command", "--scratch", "--app-port")
}

// addExtensions finds the extensions of a function's image, as Lambda does: every
// file in /opt/extensions is one.
// https://docs.aws.amazon.com/lambda/latest/dg/extensions-configuration.html
func (o *imageSource) addExtensions() error {
	const folder = "/opt/extensions"
	if o.app.Function == nil {
		return nil
	}
	entries, err := os.ReadDir(filepath.Join(o.app.Root, folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the image's extensions: %w", err)
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			o.app.Function.Extensions = append(o.app.Function.Extensions, lambda.Extension{Name: entry.Name(), Command: []string{folder + "/" + entry.Name()}})
		}
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
	unpacked, err := rootfs.Unpack(ctx, o.image, o.app.Root)
	if err == nil {
		err = unpacked.Refused
	}
	if err == nil {
		err = o.addExtensions()
	}
	if err == nil && o.compiled != "" {
		err = fillCompileCache(&o.app)
	}
	if err != nil {
		return apps.Prepared{}, errors.Join(fmt.Errorf("unpack %s: %w", o.ref, err), os.RemoveAll(dir))
	}
	return apps.Prepared{App: o.app, Close: func() error { return errors.Join(o.keepCompiled(), os.RemoveAll(dir)) }}, nil
}

func (o *imageSource) keepCompiled() error {
	if o.compiled == "" {
		return nil
	}
	said, err := keepCompileCache(o.app.Root, o.compiled)
	if err == nil {
		o.note(said)
	}
	return err
}
