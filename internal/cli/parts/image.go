package parts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/app/presets"
	"github.com/aproorg/sluice/internal/bootstrapbin"
	"github.com/aproorg/sluice/internal/bounded"
	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/image"
	"github.com/aproorg/sluice/internal/image/rootfs"
	"github.com/aproorg/sluice/internal/ui"
)

// imageOptions are the flags of image.
type imageOptions struct {
	command.AWS
	app       string
	base, to  string
	arch      string
	links     []string
	expect    []string
	env       []string
	caBundle  string
	compiled  string
	bootstrap string
	dryRun    bool
	rehearse  string
}

// NewImage declares image.
func NewImage(p *command.Program) *cobra.Command {
	o, shipped := imageOptions{}, presets.Shipped()
	cmd := &cobra.Command{
		Use:   "image --base REF --to REF",
		Short: "Add the bootstrap to an app's image and push it, without Docker",
		Long: `Image takes an app's image, adds the bootstrap as its entry point, links that
lead the paths the app writes to into /tmp, and what else the app is known to need,
and pushes the result to a registry or writes it to a directory. The base's layers
are neither unpacked nor sent where the registry has them; the same inputs give the
same digest on any machine.

A reference is REPOSITORY:TAG, REPOSITORY@DIGEST, oci:DIR (an OCI layout) or, for
the base, tar:FILE (what docker save writes).`,
		Example: `  sluice image --base ` + shipped.Image.Base + ` --to oci:out
  sluice image --base oci:base --to 123456789012.dkr.ecr.eu-west-1.amazonaws.com/chat --dry-run --json
  sluice image --base oci:base --rehearse ./root`,
		Args:        cobra.NoArgs,
		Annotations: command.ExitCodes("0  the image is where it was sent, or was there before", "1  it could not be made or sent; nothing was tagged"),
		RunE:        func(cmd *cobra.Command, _ []string) error { return runImage(cmd.Context(), p, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.app, "app", shipped.Name, "`NAME` of the app whose paths, files and environment the image gets")
	f.StringVar(&o.base, "base", "", "the app's image: `REF`, oci:DIR or tar:FILE")
	f.StringVar(&o.to, "to", "", "where the result goes: `REF` or oci:DIR; without a tag the tag follows from the digest")
	f.StringVar(&o.arch, "arch", "amd64", "amd64 or arm64")
	f.StringArrayVar(&o.links, "link", nil, "`PATH=TARGET`, a path of the image that becomes a link, such as /app/uploads=/tmp/uploads; may be repeated (default: the app's)")
	f.StringArrayVar(&o.expect, "expect", nil, "`PATH` that the base must hold; may be repeated (default: files of the app's, or none with --link)")
	f.StringArrayVar(&o.env, "env", nil, "`NAME=VALUE` added to the image's environment; may be repeated")
	f.StringVar(&o.caBundle, "ca-bundle", "", "PEM `FILE` to add, such as DocumentDB's")
	f.StringVar(&o.compiled, "compile-cache", "", "`DIR` of Node's compiled code to add, which shortens a start: sluice up --image fills it")
	f.StringVar(&o.bootstrap, "bootstrap", "", "executable `FILE` to use as the bootstrap (default: sluice's own)")
	f.BoolVar(&o.dryRun, "dry-run", false, "tell the digest and what would be sent, and send nothing")
	f.StringVar(&o.rehearse, "rehearse", "", "unpack the image into `DIR`, to look at or to run with sluice up --image, and send nothing")
	o.AWS.AddFlags(f)
	return cmd
}

func (o imageOptions) check() error {
	switch {
	case o.base == "":
		return command.Usage(hint.With(errors.New("--base is missing"), "--base REF, oci:DIR or tar:FILE"))
	case o.to == "" && !o.dryRun && o.rehearse == "":
		return command.Usage(hint.With(errors.New("--to is missing"), "--to REF or oci:DIR, or --dry-run to learn the digest"))
	case o.rehearse != "" && (o.to != "" || o.dryRun):
		return command.Usagef("--rehearse sends nothing: leave out --to and --dry-run")
	}
	return nil
}

// options turns flags into what package image takes.
func (o imageOptions) options(ctx context.Context, progress func(image.Event)) (image.Options, error) {
	preset, ok := presets.Find(o.app)
	if !ok {
		return image.Options{}, command.UnknownApp(o.app)
	}
	options := image.Options{Base: o.base, To: o.to, Arch: o.arch, Expect: o.expect, DryRun: o.dryRun, CacheDir: command.CacheDir(), Progress: progress}
	if len(o.links) == 0 && len(o.expect) == 0 { // with links of its own it is another app's
		options.Expect = preset.Image.Expect
	}
	own, err := command.Assignments("--env", o.env)
	if err != nil {
		return options, err
	}
	options.Files, options.Env, options.ReleaseVariable = preset.Image.Files, map[string]string{}, preset.Image.Release
	maps.Copy(options.Env, preset.Image.Env)
	maps.Copy(options.Env, own)
	if options.Links, err = o.imageLinks(preset.Image.Links); err != nil {
		return options, err
	}
	if o.caBundle != "" {
		if options.CABundle, err = bounded.ReadFile(o.caBundle, image.MaxCABundle); err != nil {
			return options, fmt.Errorf("read the CA bundle: %w", err)
		}
	}
	if o.compiled != "" {
		if options.CompileCache, err = image.ReadCompileCache(o.compiled); err != nil {
			return options, hint.With(err, "sluice up --image REF --compile-cache DIR fills one")
		}
	}
	if o.bootstrap != "" {
		options.Bootstrap, err = bounded.ReadFile(o.bootstrap, image.MaxBootstrap)
	} else {
		options.Bootstrap, err = bootstrapbin.Binary(ctx, o.arch)
	}
	if err != nil {
		return options, fmt.Errorf("find the bootstrap: %w", err)
	}
	options.Registry, err = o.Registry(ctx, o.base, o.to)
	return options, err
}

func (o imageOptions) imageLinks(known map[string]string) ([]image.Link, error) {
	if len(o.links) == 0 {
		return image.Links(known), nil
	}
	var links []image.Link
	for _, l := range o.links {
		path, target, ok := strings.Cut(l, "=")
		if !ok || !strings.HasPrefix(path, "/") || !strings.HasPrefix(target, "/") {
			return nil, command.Usagef("--link %q is not /PATH=/TARGET", l)
		}
		links = append(links, image.Link{Path: path, Target: target})
	}
	return links, nil
}

func runImage(ctx context.Context, p *command.Program, o imageOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	progress := p.Progress()
	defer progress.Status("")
	options, err := o.options(ctx, func(e image.Event) { progress.Status(e.Step + ": " + ui.Clean(e.Text) + share(e.Done, e.Total)) })
	if err != nil {
		return err
	}
	if o.rehearse != "" {
		return o.unpack(ctx, p, options)
	}
	result, err := image.Build(ctx, options)
	if err != nil {
		return err
	}
	progress.Status("")
	if p.JSON {
		return p.WriteJSON(result)
	}
	p.Terminal().Line(imageSummary(result, o.dryRun))
	return nil
}

// unpack writes the finished image's root file system.
func (o imageOptions) unpack(ctx context.Context, p *command.Program, options image.Options) error {
	img, err := image.Compute(ctx, options)
	if err != nil {
		return err
	}
	unpacked, err := rootfs.Unpack(ctx, img, o.rehearse)
	if err != nil {
		return err
	}
	if unpacked.Refused != nil {
		p.Warn(unpacked.Refused)
	}
	if p.JSON {
		return p.WriteJSON(unpacked)
	}
	p.Terminal().Line(fmt.Sprintf("%s: %d files and %d links, %s", o.rehearse, unpacked.Files, unpacked.Links, ui.Bytes(unpacked.Bytes)))
	return nil
}

func imageSummary(r image.Result, dryRun bool) string {
	where := r.Reference
	if where == "" {
		where = r.Digest
	}
	switch {
	case dryRun:
		return fmt.Sprintf("%s\n%s, %s; a push would move %s", where, r.MediaType, ui.Bytes(r.Size), ui.Bytes(r.Missing))
	case r.Unchanged:
		return where + "\nunchanged: the destination had all of it"
	}
	return fmt.Sprintf("%s\n%s, %s: sent %s, mounted %s, found there %s", where, r.MediaType, ui.Bytes(r.Size), ui.Bytes(r.Sent), ui.Bytes(r.Mounted), ui.Bytes(r.Present))
}

// share is how much of something is done, in per cent.
func share(done, total int64) string {
	if total <= 0 {
		return ""
	}
	return fmt.Sprintf(" %d %%", done*100/total)
}
