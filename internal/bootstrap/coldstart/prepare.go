package coldstart

import (
	"context"
	"sync"
)

// Preparer runs a cold start once for an execution environment, however often its app is started.
type Preparer struct {
	cfg    Config
	mu     sync.Mutex
	result *Result
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
		p.result = &r
	}
	return p.result.Apply(env), nil
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
