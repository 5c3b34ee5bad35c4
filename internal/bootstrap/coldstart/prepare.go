package coldstart

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
)

// Preparer runs a cold start once for an execution environment, however often its app is started.
type Preparer struct {
	cfg    Config
	mu     sync.Mutex
	result *Result
	at     time.Time // of the result, by the wall clock: the other one stands still while a snapshot lies
}

// NewPreparer takes what is to be fetched. The caller ends the credentials endpoint by Close when the app is gone.
func NewPreparer(cfg Config) *Preparer { return &Preparer{cfg: cfg} }

// Prepare returns the environment for the app, from the one that it would have. A cold start that failed is made again at
// the next call; one that succeeded is not.
func (p *Preparer) Prepare(ctx context.Context, env []string) ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.result == nil {
		r, err := Run(ctx, p.cfg, env)
		if err != nil {
			return nil, err
		}
		p.result, p.at = &r, time.Now().Round(0)
	}
	return p.result.Apply(env), nil
}

// Refresh fetches everything again if what Prepare has fetched is of that age or older, and returns the names of the variables that differ
// from then on, that of the configuration's path with them where its content does. The environment is Prepare's to give. Directories, servers
// and the credentials endpoint stay as they are.
func (p *Preparer) Refresh(ctx context.Context, env []string, age time.Duration) (changed []string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.result == nil || !p.cfg.fetches() || time.Now().Round(0).Sub(p.at) < age {
		return nil, nil
	}
	cfg := p.cfg
	cfg.Writable, cfg.Reach, cfg.ServeCredentials = nil, nil, false
	fresh, err := Run(ctx, cfg, env)
	if err != nil {
		return nil, err
	}
	fresh.Unset, fresh.Close = p.result.Unset, p.result.Close
	if len(fresh.Unset) > 0 { // there is an endpoint
		fresh.Env = append(fresh.Env, slices.DeleteFunc(slices.Clone(p.result.Env), func(entry string) bool {
			return !slices.ContainsFunc(endpointVariables, func(name string) bool { return strings.HasPrefix(entry, name+"=") })
		})...)
	}
	changed = differing(p.result.Env, fresh.Env)
	if fresh.config != p.result.config && !slices.Contains(changed, cfg.ConfigVariable) {
		changed = append(changed, cfg.ConfigVariable)
	}
	p.result, p.at = &fresh, time.Now().Round(0)
	return changed, nil
}

// fetches says whether anything comes from elsewhere.
func (cfg Config) fetches() bool {
	return len(cfg.Secrets) > 0 || cfg.EnvParameter != "" || cfg.EnvS3 != (settings.Object{}) || cfg.ConfigS3 != (settings.Object{})
}

// differing are the names of variables that only one of two environments has, or that have different values.
func differing(a, b []string) []string {
	var names []string
	for _, sides := range [][2][]string{{a, b}, {b, a}} {
		for _, entry := range sides[0] {
			if name, _, _ := strings.Cut(entry, "="); !slices.Contains(sides[1], entry) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// Close ends what Prepare started.
func (p *Preparer) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.result != nil {
		p.result.Close()
		p.result = nil
	}
}
