package deploy

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/aproorg/sluice/internal/app/presets"
	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/cost"
	"github.com/aproorg/sluice/internal/deploy"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/infra"
	"github.com/aproorg/sluice/internal/infra/variables"
	"github.com/aproorg/sluice/internal/provider"
	"github.com/aproorg/sluice/internal/provider/plugin"
)

// shippedEnvironment is the folder that the repository has.
const shippedEnvironment = "infrastructure/terraform/environments/dev"

// environment is the flags of commands that drive OpenTofu or Terraform.
type environment struct {
	dir   string
	tool  string
	fetch bool
	vars  []string

	app string // whose stores and image count to the price; empty is the shipped one
}

func (o *environment) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.dir, "dir", shippedEnvironment, "`DIR` of the environment, a Terraform root module")
	f.StringVar(&o.tool, "tool", "", "`PROGRAM` to drive (default: tofu, else terraform)")
	f.BoolVar(&o.fetch, "fetch", true, "download OpenTofu "+infra.Version+", its signature verified, where there is neither program; --fetch=false does not")
	f.StringArrayVar(&o.vars, "var", nil, "`NAME=VALUE` of a Terraform variable; may be repeated")
}

// workspace opens the environment with the program that runs it.
func (o environment) workspace(ctx context.Context, p *command.Program) (*infra.Workspace, error) {
	if err := infra.CheckModule(o.dir); err != nil {
		return nil, hint.With(err, "--dir names the environment's folder, such as %s", shippedEnvironment)
	}
	tool, err := infra.Find(o.tool)
	var missing *infra.NotFoundError
	if errors.As(err, &missing) {
		tool, err = o.download(ctx, p, err)
	}
	if err != nil {
		return nil, err
	}
	scratch, err := scratch(o.dir)
	if err != nil {
		return nil, err
	}
	return infra.Open(o.dir, tool, scratch)
}

// scratch is the environment's private folder for plans, outside of any repository.
func scratch(dir string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a place for the plan: %w", err)
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(cache, "sluice", "runs", fmt.Sprintf("%s-%x", filepath.Base(dir), sum[:6])), nil
}

// download fetches OpenTofu unless --fetch=false forbids it; none is why it is needed.
func (o environment) download(ctx context.Context, p *command.Program, none error) (string, error) {
	if !o.fetch {
		return "", hint.With(none, "install OpenTofu or Terraform, or let sluice download OpenTofu %s: leave --fetch=false out", infra.Version)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a place for OpenTofu: %w", err)
	}
	file, fetched, err := infra.Fetch(ctx, filepath.Join(cache, "sluice"), infra.Version)
	if err != nil {
		return "", hint.With(fmt.Errorf("%w, and %w", none, err), "install OpenTofu or Terraform: https://opentofu.org/docs/intro/install/")
	}
	if fetched {
		p.Progress().Line(fmt.Sprintf("%s: downloaded OpenTofu %s, its signature verified, to %s", none, infra.Version, file))
	}
	return file, nil
}

// deployment is the environment with Sluice's own provider put where init looks, and
// the state's bucket made or, where make is false, looked for.
func (o environment) deployment(ctx context.Context, p *command.Program, make bool) (*deploy.Deployment, error) {
	vars, err := command.Assignments("--var", o.vars)
	if err != nil {
		return nil, err
	}
	workspace, err := o.workspace(ctx, p)
	if err != nil {
		return nil, err
	}
	preset, ok := presets.Find(o.app)
	if !ok {
		preset = presets.Shipped()
	}
	return &deploy.Deployment{
		Infra: workspace, Vars: vars, App: cost.App{ImageGB: preset.Image.GB, Stores: preset.Stores},
		Prepare:  func(ctx context.Context) error { return o.prepare(ctx, p, workspace, make) },
		Progress: newStepView(p, func() bool { return ctx.Err() != nil }).show,
	}, nil
}

// checkVariables refuses names that the environment does not declare: the programs go on without them.
func (o environment) checkVariables() error {
	vars, err := command.Assignments("--var", o.vars)
	if err != nil {
		return err
	}
	unknown, err := variables.Check(o.dir, vars)
	if err != nil || len(unknown) == 0 {
		return err
	}
	lines := []string{"the variables of " + o.dir + " are not right"}
	for _, u := range unknown {
		lines = append(lines, "  "+u.String())
	}
	return hint.With(errors.New(strings.Join(lines, "\n")), "%s declares what there is", filepath.Join(o.dir, "variables.tf"))
}

// prepare lets init find this very executable as the provider, and take it, and the
// bucket of the state.
func (o environment) prepare(ctx context.Context, p *command.Program, workspace *infra.Workspace, make bool) error {
	files, err := installProvider(p)
	if err != nil {
		return err
	}
	if err := plugin.Relock(o.dir, files[0]); err != nil {
		return err
	}
	state, err := o.remoteState(ctx, p)
	if err != nil {
		return err
	}
	workspace.Backend = state.settings
	if make {
		return state.make(ctx, p)
	}
	return state.check(ctx, o)
}

// installProvider puts this executable where both tools look for the provider.
func installProvider(p *command.Program) ([]string, error) {
	executable, err := p.Executable()
	if err != nil {
		return nil, fmt.Errorf("find sluice's own executable: %w", err)
	}
	places, err := plugin.Places(p.Getenv)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, dir := range places {
		files, err := plugin.Install(executable, provider.Version, dir)
		if err != nil {
			return nil, err
		}
		all = append(all, files...)
	}
	return all, nil
}
