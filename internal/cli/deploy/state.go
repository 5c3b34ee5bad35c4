package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/aproorg/sluice/internal/awsx"
	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/infra/backend"
	"github.com/aproorg/sluice/internal/infra/variables"
)

// remoteState is where the environment's state is kept, and what its backend leaves open;
// bucket is nil where the state is a local file, or in a bucket that the backend names.
type remoteState struct {
	bucket   *awsx.Bucket
	name     string
	settings map[string]string // of the backend
}

// remoteState looks where the state is: in S3, where the environment says so, in one
// bucket for all environments of an account and region.
func (o environment) remoteState(ctx context.Context, p *command.Program) (remoteState, error) {
	named, err := backend.Read(o.dir)
	if err != nil || named == nil || named.Bucket != "" {
		return remoteState{}, err
	}
	vars, err := command.Assignments("--var", o.vars)
	if err != nil {
		return remoteState{}, err
	}
	region, err := variables.String(o.dir, vars, "region")
	if err != nil {
		return remoteState{}, err
	}
	config, err := awsx.Load(ctx, awsx.Settings{Region: cmp.Or(named.Region, region, p.Getenv("TF_VAR_region"))})
	if err != nil {
		return remoteState{}, err
	}
	account, err := config.Account(ctx)
	if err != nil {
		return remoteState{}, err
	}
	name := fmt.Sprintf("sluice-state-%s-%s", account, config.Region())
	return remoteState{config.Bucket(name, account), name, map[string]string{"bucket": name, "region": config.Region()}}, nil
}

// make makes the bucket where it is not there, and says so.
func (s remoteState) make(ctx context.Context, p *command.Program) error {
	if s.bucket == nil {
		return nil
	}
	made, err := s.bucket.MakeStateBucket(ctx)
	if made {
		p.Progress().Line("made bucket " + s.name + " for the state")
	}
	return err
}

// check says that the bucket is not there yet.
func (s remoteState) check(ctx context.Context, o environment) error {
	if s.bucket == nil {
		return nil
	}
	err := s.bucket.Check(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return hint.With(fmt.Errorf("%w, where the state would be: nothing is deployed in this account and region yet", err), "sluice init --dir %s makes it, and so does deploy", o.dir)
	}
	return err
}
