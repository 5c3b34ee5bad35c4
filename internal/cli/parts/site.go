package parts

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/app/presets"
	"github.com/aproorg/sluice/internal/awsx"
	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/site"
	"github.com/aproorg/sluice/internal/ui"
)

// siteOptions are the flags of site.
type siteOptions struct {
	command.AWS
	app          string
	from, path   string
	bucket       string
	owner        string
	distribution string
	keep         time.Duration
	rollback     string
	remove       bool
	dryRun       bool
}

// NewSite declares site.
func NewSite(p *command.Program) *cobra.Command {
	o, shipped := siteOptions{}, presets.Shipped()
	cmd := &cobra.Command{
		Use:   "site --from DIR --bucket NAME",
		Short: "Upload a built front end to its bucket: only what changed",
		Long: `Site brings a built front end into its bucket with the content types and cache
headers that it needs, index.html last. Only what changed is sent; files of earlier
releases stay for a while, so that open pages do not break; and only paths that are
cached and changed are invalidated.

The front end comes from a directory, or straight out of an image's layers.`,
		Example: `  sluice site --from ./client/dist --bucket chat-dev-site --distribution E123ABC
  sluice site --from image:` + shipped.Image.Base + ` --bucket chat-dev-site --dry-run
  sluice site --bucket chat-dev-site --rollback previous`,
		Args:        cobra.NoArgs,
		Annotations: command.ExitCodes("0  the bucket holds the site, or did before", "1  it failed; run it again to go on"),
		RunE:        func(cmd *cobra.Command, _ []string) error { return runSite(cmd.Context(), p, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.from, "from", "", "`DIR`, image:REF, oci:DIR or tar:FILE")
	f.StringVar(&o.app, "app", shipped.Name, "`NAME` of the app whose image it is, which says where the front end lies")
	f.StringVar(&o.path, "path", "", "`DIR` of the front end in the image (default: the app's)")
	f.StringVar(&o.bucket, "bucket", "", "`NAME` of the bucket")
	f.StringVar(&o.owner, "bucket-owner", "", "`ACCOUNT` that must own the bucket (default: the one signed in)")
	f.StringVar(&o.distribution, "distribution", "", "`ID` of the CloudFront distribution to invalidate paths of")
	f.DurationVar(&o.keep, "keep", 7*24*time.Hour, "how long files of earlier releases stay")
	f.StringVar(&o.rollback, "rollback", "", "go back to the release `ID`, or to the \"previous\" one")
	f.BoolVar(&o.remove, "remove", false, "remove what was uploaded, and nothing else")
	f.BoolVar(&o.dryRun, "dry-run", false, "tell what would change, and change nothing")
	o.AWS.AddFlags(f)
	return cmd
}

func (o siteOptions) check() error {
	tasks := 0
	for _, set := range []bool{o.from != "", o.rollback != "", o.remove} {
		if set {
			tasks++
		}
	}
	switch {
	case o.bucket == "":
		return command.Usagef("--bucket is missing")
	case tasks != 1:
		return command.Usagef("want one of --from, --rollback and --remove")
	case o.path != "" && !strings.Contains(o.from, ":"):
		return command.Usagef("--path is for an image: of a directory, name the front end's own by --from")
	case o.remove && o.dryRun:
		return command.Usagef("--remove has no --dry-run")
	}
	return nil
}

// options signs in and makes sure of the bucket before anything is read.
func (o siteOptions) options(ctx context.Context, progress func(site.Event)) (site.Options, error) {
	config, err := awsx.Load(ctx, o.Settings)
	if err != nil {
		return site.Options{}, err
	}
	if o.owner == "" {
		if o.owner, err = config.Account(ctx); err != nil {
			return site.Options{}, err
		}
	}
	bucket := config.Bucket(o.bucket, o.owner)
	if err := bucket.Check(ctx); err != nil {
		return site.Options{}, err
	}
	options := site.Options{Store: bucket, Keep: o.keep, Progress: progress}
	if o.distribution != "" {
		options.Invalidator = config.Distribution(o.distribution)
	}
	return options, nil
}

func runSite(ctx context.Context, p *command.Program, o siteOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	progress := p.Progress()
	defer progress.Status("")
	options, err := o.options(ctx, func(e site.Event) {
		progress.Status(e.Step + ": " + ui.Clean(e.Text) + share(int64(e.Done), int64(e.Total)))
	})
	if err != nil {
		return err
	}
	if o.from != "" {
		source, err := o.open(ctx)
		if err != nil {
			return err
		}
		defer source.Close() // what was taken out of an image is temporary
		options.Source = source
	}
	if o.dryRun {
		return o.plan(ctx, p, options)
	}
	result, err := o.apply(ctx, options)
	if err != nil {
		return err
	}
	progress.Status("")
	if p.JSON {
		return p.WriteJSON(result)
	}
	p.Terminal().Line(siteSummary(result))
	return nil
}

func (o siteOptions) open(ctx context.Context) (*site.Source, error) {
	preset, ok := presets.Find(o.app)
	if !ok {
		return nil, command.UnknownApp(o.app)
	}
	if o.path == "" {
		o.path = preset.Image.Site
	}
	registry, err := o.Registry(ctx, o.from)
	if err != nil {
		return nil, err
	}
	return site.Open(ctx, site.From{Ref: o.from, Path: o.path, CacheDir: command.CacheDir(), Registry: registry})
}

func (o siteOptions) apply(ctx context.Context, options site.Options) (site.Result, error) {
	switch {
	case o.remove:
		return site.Remove(ctx, options)
	case o.rollback != "":
		return site.Rollback(ctx, options, o.release())
	}
	return site.Apply(ctx, options)
}

// release is the id to go back to; empty is the previous one.
func (o siteOptions) release() string {
	if o.rollback == "previous" {
		return ""
	}
	return o.rollback
}

func (o siteOptions) plan(ctx context.Context, p *command.Program, options site.Options) error {
	var plan *site.Plan
	var err error
	if o.rollback != "" {
		plan, err = site.PlanRollback(ctx, options, o.release())
	} else {
		plan, err = site.MakePlan(ctx, options)
	}
	if err != nil {
		return err
	}
	if p.JSON {
		return p.WriteJSON(plan)
	}
	p.Terminal().Line(plan.Summary())
	return nil
}

func siteSummary(r site.Result) string {
	if r.Removed > 0 || r.Release == "" {
		return fmt.Sprintf("removed %d objects", r.Removed)
	}
	line := fmt.Sprintf("release %s: %d files, %d uploaded (%s), %d unchanged", r.Release, r.Files, r.Uploaded, ui.Bytes(r.Bytes), r.Unchanged)
	if r.Retired+r.Expired > 0 {
		line += fmt.Sprintf(", %d kept for open pages, %d expired", r.Retired, r.Expired)
	}
	if len(r.Invalidated) > 0 {
		line += "\ninvalidated " + strings.Join(r.Invalidated, " ")
	}
	return line
}
