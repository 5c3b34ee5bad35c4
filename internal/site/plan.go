package site

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Plan is the difference between a site and a bucket.
type Plan struct {
	Release   string   `json:"release"`
	Previous  string   `json:"previous,omitempty"` // in the bucket now
	Files     int      `json:"files"`
	Upload    []Change `json:"upload"`
	Unchanged int      `json:"unchanged"`
	// Retire are paths that leave the site now, and Expire those that left it
	// so long ago that they go from the bucket too.
	Retire []string `json:"retire,omitempty"`
	Expire []string `json:"expire,omitempty"`
	// Invalidate are changed paths that CloudFront may hold.
	Invalidate []string `json:"invalidate,omitempty"`
	// LeftOut are files of the source that are not published.
	LeftOut []LeftOut `json:"left_out,omitempty"`
	// Foreign counts objects that Sluice did not write and leaves alone.
	Foreign int   `json:"foreign,omitempty"`
	Bytes   int64 `json:"bytes"`

	wanted  map[string]File
	current *Release
	pending *Release
	listed  map[string]Object
	from    map[string]string // Rollback: the key that holds a path's content
}

// A Change is one file to upload and why: new, changed, headers, missing (it is
// gone from the bucket) or altered (something else has written it).
type Change struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
	Size   int64  `json:"size"`
}

// Empty tells that the bucket holds the site already. Files whose time has come
// do not count: they wait for the next change.
func (p *Plan) Empty() bool {
	return len(p.Upload) == 0 && len(p.Retire) == 0 && p.Release == p.Previous && p.pending.ID == ""
}

// Summary is one line for people.
func (p *Plan) Summary() string {
	count := map[string]int{}
	for _, change := range p.Upload {
		count[change.Reason]++
	}
	var parts []string
	for _, reason := range []string{"new", "changed", "headers", "missing", "altered"} {
		if count[reason] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[reason], reason))
		}
	}
	if len(p.Retire) > 0 {
		parts = append(parts, fmt.Sprintf("%d retired", len(p.Retire)))
	}
	if len(p.Expire) > 0 {
		parts = append(parts, fmt.Sprintf("%d expired", len(p.Expire)))
	}
	parts = append(parts, fmt.Sprintf("%d unchanged", p.Unchanged))
	if n := p.surprising(); n > 0 {
		parts = append(parts, fmt.Sprintf("%d left out", n))
	}
	return strings.Join(parts, ", ")
}

// surprising counts what was left out and could have been meant to be published.
func (p *Plan) surprising() (n int) {
	for _, left := range p.LeftOut {
		if left.Surprising() {
			n++
		}
	}
	return n
}

// MakePlan reads the site and compares it with the bucket: two small objects
// and a list, whatever the number of files. It changes nothing. Without a Store
// it compares with an empty bucket, and the plan cannot be applied.
func MakePlan(ctx context.Context, o Options) (*Plan, error) {
	wanted, left, err := scan(ctx, o)
	if err != nil {
		return nil, err
	}
	o.progress(Event{Step: "scan", Text: "read the site", Done: len(wanted), Total: len(wanted)})
	p := &Plan{current: &Release{}, pending: &Release{}}
	if o.Store != nil {
		if p, err = bucket(ctx, o.Store); err != nil {
			return nil, err
		}
	}
	p.LeftOut = left
	p.compare(wanted, o)
	return p, nil
}

// bucket reads what is there.
func bucket(ctx context.Context, store Store) (*Plan, error) {
	if err := store.Check(ctx); err != nil {
		return nil, err
	}
	current, err := read(ctx, store, releaseKey)
	if err != nil {
		return nil, err
	}
	pending, err := read(ctx, store, pendingKey)
	if err != nil {
		return nil, err
	}
	objects, err := store.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the bucket: %w", err)
	}
	listed := make(map[string]Object, len(objects))
	for _, object := range objects {
		listed[object.Key] = object
	}
	return &Plan{Previous: current.ID, current: current, pending: pending, listed: listed}, nil
}

func (p *Plan) compare(wanted map[string]File, o Options) {
	p.wanted, p.Release, p.Files = wanted, identify(wanted), len(wanted)
	for _, path := range slices.Sorted(maps.Keys(wanted)) {
		file := wanted[path]
		had, was := p.had(path)
		reason := p.reason(path, file)
		if reason == "" {
			p.Unchanged++
			file.ETag = p.listed[path].ETag
			wanted[path] = file
		} else {
			p.Upload = append(p.Upload, Change{path, reason, file.Size})
			p.Bytes += file.Size
		}
		if was && had.CacheControl != noStore && (reason != "" && reason != "missing" || !had.same(file)) {
			p.Invalidate = append(p.Invalidate, path)
		}
	}
	for path := range p.current.Files {
		if _, ok := wanted[path]; !ok {
			p.Retire = append(p.Retire, path)
		}
	}
	slices.Sort(p.Retire)
	p.Expire = p.current.due(o.now().Add(-o.keep()), wanted)
	p.countForeign()
}

// had is the file that browsers and CloudFront may have got for a path.
func (p *Plan) had(path string) (File, bool) {
	if file, ok := p.current.Files[path]; ok {
		return file, true
	}
	retired, ok := p.current.Retired[path]
	return retired.File, ok
}

// reason is empty where the bucket holds the file as wanted.
func (p *Plan) reason(path string, file File) string {
	object, there := p.listed[path]
	had, was := p.had(path)
	started, tried := p.pending.Files[path]
	switch {
	case there && was && had.same(file) && had.ETag == object.ETag:
		return ""
	case there && tried && started.same(file) && file.MD5 == object.ETag && file.Size == object.Size:
		return "" // the run before this one came so far
	case there && was && !tried && had.ETag != object.ETag:
		return "altered"
	case !there && was && had.SHA256 == file.SHA256:
		return "missing"
	case was && had.SHA256 != file.SHA256:
		return "changed"
	case was && had.Headers != file.Headers:
		return "headers"
	case was:
		return "altered"
	}
	return "new"
}

// due lists what left the site before the time given and is not wanted again.
func (r *Release) due(before time.Time, wanted map[string]File) []string {
	var keys []string
	for path, file := range r.Retired {
		if _, back := wanted[path]; !back && !file.Since.After(before) {
			keys = append(keys, path)
		}
	}
	for sum, since := range r.Kept {
		if !since.After(before) {
			keys = append(keys, keptKey+sum)
		}
	}
	for id, since := range r.Earlier {
		if !since.After(before) {
			keys = append(keys, earlierKey+id+".json")
		}
	}
	slices.Sort(keys)
	return keys
}

func (p *Plan) countForeign() {
	for key := range p.listed {
		_, was := p.had(key)
		_, wanted := p.wanted[key]
		_, tried := p.pending.Files[key]
		if !was && !wanted && !tried && !strings.HasPrefix(key, Prefix) {
			p.Foreign++
		}
	}
}

// Inspection is what a bucket holds against what it should.
type Inspection struct {
	Release string    `json:"release"` // empty: Sluice has put nothing here
	Made    time.Time `json:"made"`
	Files   int       `json:"files"`
	Missing []string  `json:"missing,omitempty"`
	Altered []string  `json:"altered,omitempty"`
	// Unfinished tells that a run was interrupted; the next one goes on.
	Unfinished bool `json:"unfinished,omitempty"`
	// Previous can be rolled back to.
	Previous string `json:"previous,omitempty"`
}

// Inspect looks for drift: files of the release that are gone from the bucket,
// or that something else has written.
func Inspect(ctx context.Context, store Store) (Inspection, error) {
	p, err := bucket(ctx, store)
	if err != nil {
		return Inspection{}, err
	}
	found := Inspection{
		Release: p.current.ID, Made: p.current.Made, Files: len(p.current.Files),
		Unfinished: p.pending.ID != "", Previous: p.current.Previous,
	}
	for _, path := range slices.Sorted(maps.Keys(p.current.Files)) {
		object, there := p.listed[path]
		switch {
		case !there:
			found.Missing = append(found.Missing, path)
		case object.ETag != p.current.Files[path].ETag:
			found.Altered = append(found.Altered, path)
		}
	}
	return found, nil
}

// valid refuses keys that came out of the bucket and lead elsewhere.
func valid(id string) bool { return id != "" && fs.ValidPath(id) && !strings.Contains(id, "/") }
