package parts

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/app/presets"
	"github.com/aproorg/sluice/internal/awsx"
	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/site"
	"github.com/aproorg/sluice/internal/site/frontend"
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
	uploads      bool
	dryRun       bool
	include      []string
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

The front end comes from a directory, or straight out of an image's layers.

Not everything in it is published. What is hidden stays out, which is each file
with a dot at the start of its name or of a directory's above it (/.well-known/
alone goes up); editors' backups (*~ *.swp #*# *.bak *.orig) and Thumbs.db; source
maps (*.map); and compressed copies (*.gz *.br), since CloudFront compresses.
--dry-run names them, and --include publishes some of them on purpose. Links that
lead out of the directory or to a directory, devices, sockets and FIFOs are errors.`,
		Example: `  sluice site --from ./client/dist --bucket chat-dev-site --distribution E123ABC
  sluice site --from image:` + shipped.Image.Base + ` --bucket chat-dev-site --dry-run
  sluice site --from ./public --bucket docs-site --include .nojekyll --include '/maps/*.map'
  sluice site --bucket chat-dev-site --rollback previous`,
		Args:        cobra.NoArgs,
		Annotations: command.ExitCodes("0  the bucket holds the site, or did before", "1  it failed; run it again to go on"),
		RunE:        func(cmd *cobra.Command, _ []string) error { return runSite(cmd.Context(), p, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.from, "from", "", "`DIR`, image:REF, oci:DIR or tar:FILE")
	f.StringVar(&o.app, "app", shipped.Name, "`NAME` of the app whose image it is, which says where the front end lies")
	f.StringVar(&o.path, "path", "", "`DIR` of the front end in the image (default: the app's)")
	f.StringArrayVar(&o.include, "include", nil, "`PATTERN` of files to publish though they are hidden, backups or maps: a name,\nor a path from the site's root with a slash (repeatable)")
	f.BoolVar(&o.uploads, "uploads", false, "have the pages load the script by which large uploads go through S3 (docs/uploads.md)")
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
	case o.uploads && o.from == "":
		return command.Usagef("--uploads is for --from: a release that comes back is what it was")
	case len(o.include) > 0 && o.from == "":
		return command.Usagef("--include is for --from: a release that comes back is what it was")
	}
	if err := site.CheckInclude(o.include); err != nil {
		return command.Usagef("--include: %w", err)
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
	options := site.Options{Store: bucket, Include: o.include, Keep: o.keep, Progress: progress}
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
		source, err := o.open(ctx, func(err error) {
			progress.Status("")
			p.Warn(err)
		})
		if err != nil {
			return err
		}
		defer source.Close() // what was taken out of an image is temporary
		options.Source = source
		if o.uploads {
			if options.Source, err = site.WithUploads(source); err != nil {
				return err
			}
		}
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

func (o siteOptions) open(ctx context.Context, warn func(error)) (*frontend.Source, error) {
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
	return frontend.Open(ctx, frontend.From{Ref: o.from, Path: o.path, CacheDir: command.CacheDir(), Registry: registry, Warn: warn})
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
	for _, line := range leftOut(plan.LeftOut) {
		p.Terminal().Line(line)
	}
	return nil
}

// leftOut is a line for each file that could have been meant to be published, and one for the others together. What
// lies in a hidden directory is counted, not listed.
func leftOut(left []site.LeftOut) []string {
	var lines, hidden []string
	others, below := map[string]int{}, map[string]int{}
	for _, l := range left {
		dir := hiddenDir(l)
		switch {
		case !l.Surprising():
			others[l.Reason]++
		case dir == "":
			lines = append(lines, fmt.Sprintf("left out: %s (%s)", ui.Clean(l.Path), l.Reason))
		default:
			if below[dir]++; below[dir] == 1 {
				hidden = append(hidden, dir)
			}
		}
	}
	for _, dir := range hidden {
		files := "1 file"
		if below[dir] > 1 {
			files = fmt.Sprintf("%d files", below[dir])
		}
		lines = append(lines, fmt.Sprintf("left out: %s (%s, %s)", ui.Clean(dir), site.Hidden, files))
	}
	for _, reason := range slices.Sorted(maps.Keys(others)) {
		lines = append(lines, fmt.Sprintf("left out: %d × %s", others[reason], reason))
	}
	return lines
}

// hiddenDir is the hidden directory that a file lies in.
func hiddenDir(l site.LeftOut) string {
	if l.Reason != site.Hidden {
		return ""
	}
	segments := strings.Split(l.Path, "/")
	for n, segment := range segments[:len(segments)-1] {
		if strings.HasPrefix(segment, ".") && (n > 0 || segment != ".well-known") {
			return strings.Join(segments[:n+1], "/") + "/"
		}
	}
	return ""
}

func siteSummary(r site.Result) string {
	if r.Removed > 0 || r.Release == "" {
		return fmt.Sprintf("removed %d objects", r.Removed)
	}
	line := fmt.Sprintf("release %s: %d files, %d uploaded (%s), %d unchanged", r.Release, r.Files, r.Uploaded, ui.Bytes(r.Bytes), r.Unchanged)
	if r.Retired+r.Expired > 0 {
		line += fmt.Sprintf(", %d kept for open pages, %d expired", r.Retired, r.Expired)
	}
	if r.LeftOut > 0 {
		line += fmt.Sprintf(", %d left out (--dry-run names them)", r.LeftOut)
	}
	if len(r.Invalidated) > 0 {
		line += "\ninvalidated " + strings.Join(r.Invalidated, " ")
	}
	return line
}
