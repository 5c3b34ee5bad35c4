package site

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aproorg/sluice/internal/bounded"
	"github.com/aproorg/sluice/internal/hint"
)

// maxPaths is how many paths an invalidation names before it takes the whole
// site: CloudFront bills by the path, and a wildcard is one.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Invalidation.html
const maxPaths = 50

// Apply makes the bucket hold the site. It may be killed at any point: until
// its last request the bucket's release is the old one, and the next run sends
// only what this one had not.
func Apply(ctx context.Context, o Options) (Result, error) {
	p, err := MakePlan(ctx, o)
	if err != nil {
		return Result{}, err
	}
	return p.Apply(ctx, o)
}

// Apply carries the plan out, with the options that it was made with. It fails
// with ErrConflict if another run has changed the bucket since.
func (p *Plan) Apply(ctx context.Context, o Options) (Result, error) {
	result := Result{Release: p.Release, Previous: p.Previous, Files: p.Files, Unchanged: p.Unchanged, LeftOut: p.surprising()}
	if p.Empty() && len(p.Expire) == 0 {
		return result, nil
	}
	run := &run{Plan: p, o: o, next: p.next(o.now())}
	if err := run.all(ctx, &result); err != nil {
		return result, fmt.Errorf("deploy site: %w", err)
	}
	return result, nil
}

// run is one Apply under way.
type run struct {
	*Plan
	o    Options
	mu   sync.Mutex
	next *Release
	done int
}

// all has the order that makes it safe: what is overwritten is kept first, the
// files that pages name come before the pages, the index last; CloudFront
// forgets before the release says so, or a killed run would leave it stale.
func (r *run) all(ctx context.Context, result *Result) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	if err := r.keep(ctx); err != nil {
		return err
	}
	for _, group := range r.groups() {
		if err := r.upload(ctx, group); err != nil {
			return err
		}
	}
	result.Uploaded, result.Bytes, result.Retired = len(r.Upload), r.Bytes, len(r.Retire)
	if err := r.invalidate(ctx, result); err != nil {
		return err
	}
	if err := r.expire(ctx, result); err != nil {
		return err
	}
	return r.commit(ctx)
}

// begin takes the bucket: another run that planned at the same time fails on
// the pending object, and one that has finished since has left a new release.
func (r *run) begin(ctx context.Context) error {
	pending := &Release{Version: formatVersion, ID: r.Release, Made: r.next.Made, Files: r.wanted}
	if err := write(ctx, r.o.Store, pendingKey, pending, r.pending.etag); err != nil {
		return err
	}
	now, err := read(ctx, r.o.Store, releaseKey)
	if err != nil {
		return err
	}
	if now.etag == r.current.etag {
		return nil
	}
	if err := r.o.Store.Delete(ctx, []string{pendingKey}); err != nil {
		return err
	}
	return hint.With(fmt.Errorf("release %s was put there after the plan was made: %w", now.ID, ErrConflict), "plan again")
}

// next is the release as it will be, but for the ETags of what is uploaded.
func (p *Plan) next(now time.Time) *Release {
	next := &Release{
		Version: formatVersion, ID: p.Release, Made: now, Previous: p.current.Previous,
		Files: maps.Clone(p.wanted), Retired: map[string]Retired{},
		Kept: map[string]time.Time{}, Earlier: map[string]time.Time{},
	}
	maps.Copy(next.Kept, p.current.Kept)
	maps.Copy(next.Earlier, p.current.Earlier)
	if p.Previous != "" && p.Previous != p.Release {
		next.Previous = p.Previous
		next.Earlier[p.Previous] = now
	}
	delete(next.Earlier, p.Release)
	for path, file := range p.current.Retired {
		if _, back := p.wanted[path]; !back {
			next.Retired[path] = file
		}
	}
	for _, path := range p.Retire {
		next.Retired[path] = Retired{File: p.current.Files[path], Since: now}
	}
	return next
}

// keep copies what is about to be overwritten, within the bucket.
func (r *run) keep(ctx context.Context) error {
	var paths []string
	for _, change := range r.Upload {
		had, was := r.current.Files[change.Path]
		object, there := r.listed[change.Path]
		_, already := r.listed[keptKey+had.SHA256]
		if was && there && had.SHA256 != r.wanted[change.Path].SHA256 {
			r.next.Kept[had.SHA256] = r.next.Made
			if !already && object.ETag == had.ETag {
				paths = append(paths, change.Path)
			}
		}
	}
	return r.each(ctx, "keep", paths, func(ctx context.Context, path string) error {
		had := r.current.Files[path]
		_, err := r.o.Store.Copy(ctx, path, keptKey+had.SHA256, had.Headers)
		return err
	})
}

// groups puts the uploads into the order in which they must be visible.
func (r *run) groups() [3][]string {
	var groups [3][]string
	for _, change := range r.Upload {
		n := 0
		switch {
		case change.Path == Index:
			n = 2
		case r.wanted[change.Path].CacheControl == noStore:
			n = 1
		}
		groups[n] = append(groups[n], change.Path)
	}
	return groups
}

func (r *run) upload(ctx context.Context, paths []string) error {
	return r.each(ctx, "upload", paths, func(ctx context.Context, path string) error {
		etag, err := r.put(ctx, path)
		if err != nil {
			return err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		file := r.next.Files[path]
		file.ETag = etag
		r.next.Files[path] = file
		r.done++
		r.o.progress(Event{Step: "upload", Text: path, Done: r.done, Total: len(r.Upload)})
		return nil
	})
}

func (r *run) put(ctx context.Context, path string) (etag string, err error) {
	file := r.wanted[path]
	if key, ok := r.from[path]; ok {
		return r.o.Store.Copy(ctx, key, path, file.Headers)
	}
	content, err := r.o.Source.Open(path)
	if err != nil {
		return "", err
	}
	defer content.Close()
	body, ok := content.(io.ReadSeeker)
	if !ok {
		text, err := bounded.ReadAll(content, file.Size)
		if err != nil {
			return "", err
		}
		body = bytes.NewReader(text)
	}
	return r.o.Store.Put(ctx, Put{Key: path, Body: body, Size: file.Size, SHA256: file.SHA256, Headers: file.Headers})
}

// each runs work on all paths, some at once, and stops at the first error.
func (r *run) each(ctx context.Context, step string, paths []string, work func(context.Context, string) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.o.jobs())
	for _, path := range paths {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := work(ctx, path); err != nil {
				return fmt.Errorf("%s %s: %w", step, path, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (r *run) invalidate(ctx context.Context, result *Result) error {
	if r.o.Invalidator == nil || len(r.Invalidate) == 0 {
		return nil
	}
	paths := invalidation(r.Invalidate)
	r.o.progress(Event{Step: "invalidate", Text: strings.Join(paths, " ")})
	reference := fmt.Sprintf("sluice-%s-%d", r.Release, r.next.Made.Unix())
	id, err := r.o.Invalidator.Invalidate(ctx, reference, paths)
	if err != nil {
		return fmt.Errorf("invalidate: %w", err)
	}
	result.Invalidated, result.Invalidation = paths, id
	return nil
}

// invalidation spells paths as CloudFront wants them.
func invalidation(paths []string) []string {
	if len(paths) > maxPaths {
		return []string{"/*"}
	}
	spelled := make([]string, len(paths))
	for n, path := range paths {
		parts := strings.Split(path, "/")
		for i, part := range parts {
			// A star in a name would be a wildcard.
			parts[i] = strings.ReplaceAll(url.PathEscape(part), "*", "%2A")
		}
		spelled[n] = "/" + strings.Join(parts, "/")
	}
	return spelled
}

func (r *run) expire(ctx context.Context, result *Result) error {
	// By the new release: what this run keeps anew is no longer due.
	due := r.next.due(r.next.Made.Add(-r.o.keep()), r.wanted)
	if len(due) == 0 {
		return nil
	}
	r.o.progress(Event{Step: "expire", Text: fmt.Sprintf("%d files of earlier releases", len(due)), Total: len(due)})
	if err := r.o.Store.Delete(ctx, due); err != nil {
		return fmt.Errorf("remove files of earlier releases: %w", err)
	}
	for _, key := range due {
		delete(r.next.Retired, key)
		delete(r.next.Kept, strings.TrimPrefix(key, keptKey))
		delete(r.next.Earlier, strings.TrimSuffix(strings.TrimPrefix(key, earlierKey), ".json"))
	}
	result.Expired = len(due)
	return nil
}

// commit writes the release that can be rolled back to, then the new one.
func (r *run) commit(ctx context.Context) error {
	r.o.progress(Event{Step: "release", Text: r.Release})
	if _, ok := r.next.Earlier[r.Previous]; ok && r.Previous != "" {
		if err := r.writeEarlier(ctx); err != nil {
			return err
		}
	}
	if err := write(ctx, r.o.Store, releaseKey, r.next, r.current.etag); err != nil {
		return err
	}
	if err := r.o.Store.Delete(ctx, []string{pendingKey}); err != nil {
		return fmt.Errorf("remove %s: %w", pendingKey, err)
	}
	return nil
}

func (r *run) writeEarlier(ctx context.Context) error {
	key := earlierKey + r.Previous + ".json"
	if _, there := r.listed[key]; there {
		return nil
	}
	earlier := &Release{Version: formatVersion, ID: r.Previous, Made: r.current.Made, Files: r.current.Files}
	if err := write(ctx, r.o.Store, key, earlier, ""); err != nil && !errors.Is(err, ErrConflict) {
		return err
	}
	return nil
}
