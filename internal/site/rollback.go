package site

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Rollback makes the bucket hold an earlier release again, the previous one
// when id is empty, from what the bucket kept. It needs no Source.
func Rollback(ctx context.Context, o Options, id string) (Result, error) {
	p, err := PlanRollback(ctx, o, id)
	if err != nil {
		return Result{}, fmt.Errorf("roll back: %w", err)
	}
	return p.Apply(ctx, o)
}

// PlanRollback compares the bucket with an earlier release that it held.
func PlanRollback(ctx context.Context, o Options, id string) (*Plan, error) {
	p, err := bucket(ctx, o.Store)
	if err != nil {
		return nil, err
	}
	if id == "" {
		id = p.current.Previous
	}
	if !valid(id) {
		return nil, errors.New("the bucket remembers no earlier release")
	}
	earlier, err := read(ctx, o.Store, earlierKey+id+".json")
	if err != nil {
		return nil, err
	}
	if earlier.ID != id {
		return nil, fmt.Errorf("the bucket holds no release %s any more; it has %s", id, p.remembered())
	}
	p.compare(earlier.Files, o)
	return p, p.sources()
}

func (p *Plan) remembered() string {
	if ids := slices.Sorted(maps.Keys(p.current.Earlier)); len(ids) > 0 {
		return strings.Join(ids, ", ")
	}
	return "none"
}

// sources finds the content of each file to bring back.
func (p *Plan) sources() error {
	p.from = map[string]string{}
	for _, change := range p.Upload {
		file := p.wanted[change.Path]
		if _, kept := p.listed[keptKey+file.SHA256]; kept {
			p.from[change.Path] = keptKey + file.SHA256
			continue
		}
		had, was := p.had(change.Path)
		if object, there := p.listed[change.Path]; was && there && had.SHA256 == file.SHA256 && object.ETag == had.ETag {
			p.from[change.Path] = change.Path // the headers alone change
			continue
		}
		return fmt.Errorf("release %s cannot come back: %s was removed from the bucket", p.Release, change.Path)
	}
	return nil
}

// Remove deletes all that Sluice has put into the bucket and nothing else.
func Remove(ctx context.Context, o Options) (Result, error) {
	p, err := bucket(ctx, o.Store)
	if errors.Is(err, fs.ErrNotExist) {
		return Result{}, nil // the bucket itself is gone
	}
	if err != nil {
		return Result{}, fmt.Errorf("remove site: %w", err)
	}
	var keys, memory []string
	for key := range p.listed {
		_, was := p.had(key)
		_, tried := p.pending.Files[key]
		switch {
		case strings.HasPrefix(key, Prefix):
			memory = append(memory, key)
		case was || tried:
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	// What remembers goes last: a killed removal can be repeated.
	for _, batch := range [][]string{keys, memory} {
		if err := o.Store.Delete(ctx, batch); err != nil {
			return Result{}, fmt.Errorf("remove site: %w", err)
		}
	}
	return Result{Previous: p.Previous, Removed: len(keys) + len(memory)}, nil
}
