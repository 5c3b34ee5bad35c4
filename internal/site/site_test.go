package site_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/site"
	"github.com/aproorg/sluice/internal/site/frontend"
)

func TestFirstRelease(t *testing.T) {
	w := newWorld(t)
	w.o.Source = release("v1")
	plan, err := site.MakePlan(t.Context(), w.o)
	if err != nil {
		t.Fatal(err)
	}
	if plan.Empty() || plan.Summary() != "7 new, 0 unchanged" {
		t.Errorf("plan: %s", plan.Summary())
	}
	result := w.apply(t, release("v1"))
	if result.Uploaded != 7 || result.Invalidated != nil || result.Release != plan.Release {
		t.Errorf("%+v", result)
	}
	if _, ok := w.get(t, "assets/vendor.Zz9xYy8w.js.map"); ok {
		t.Error("uploaded a source map")
	}
}

func TestPagesComeLast(t *testing.T) {
	w := newWorld(t)
	w.apply(t, release("v1"))
	var puts []string
	for _, request := range w.server.requests {
		if key, ok := strings.CutPrefix(request, "PUT "); ok && !strings.HasPrefix(key, site.Prefix) {
			puts = append(puts, key)
		}
	}
	if n := len(puts); n != 7 || puts[n-1] != "index.html" || puts[n-2] != "sw.js" {
		t.Errorf("order %v", puts)
	}
}

func TestNothingToDo(t *testing.T) {
	w := newWorld(t)
	w.apply(t, release("v1"))
	w.server.reset()
	result := w.apply(t, release("v1"))
	if result.Uploaded != 0 || result.Unchanged != 7 {
		t.Errorf("%+v", result)
	}
	want := []string{"HEAD ", "GET _sluice/release.json", "GET _sluice/pending.json", "GET "}
	if diff := cmp.Diff(want, w.server.requests); diff != "" {
		t.Error(diff)
	}
}

func TestSecondRelease(t *testing.T) {
	w := newWorld(t)
	first := w.apply(t, release("v1"))
	w.server.reset()
	second := w.apply(t, release("v2"))
	if second.Uploaded != 4 || second.Unchanged != 3 || second.Retired != 1 || second.Previous != first.Release {
		t.Errorf("%+v", second)
	}
	// Cached and changed: the page and the worker are never stored, the script has a new name.
	if diff := cmp.Diff([]string{"/assets/logo.svg"}, second.Invalidated); diff != "" {
		t.Error(diff)
	}
	if text, ok := w.get(t, "assets/index.v1Ab3dEf.js"); !ok || text != "js v1" {
		t.Error("an open page of the first release has lost its script")
	}
}

func TestEarlierFilesExpire(t *testing.T) {
	w := newWorld(t)
	w.apply(t, release("v1"))
	w.apply(t, release("v2"))
	w.now = w.now.Add(6 * 24 * time.Hour)
	if result := w.apply(t, release("v3")); result.Expired != 0 {
		t.Errorf("too early: %+v", result)
	}
	w.now = w.now.Add(2 * 24 * time.Hour)
	result := w.apply(t, release("v4"))
	if result.Expired == 0 {
		t.Errorf("not at all: %+v", result)
	}
	if _, ok := w.get(t, "assets/index.v1Ab3dEf.js"); ok {
		t.Error("the first release's script is still there")
	}
	if _, ok := w.get(t, "assets/index.v2Ab3dEf.js"); !ok {
		t.Error("the second release's script left two days ago and is gone")
	}
}

// A file that comes back before it expired needs no upload and does not expire.
func TestFileComesBack(t *testing.T) {
	w := newWorld(t)
	w.apply(t, release("v1"))
	w.apply(t, release("v2"))
	w.now = w.now.Add(8 * 24 * time.Hour)
	w.apply(t, release("v1"))
	if text, ok := w.get(t, "assets/index.v1Ab3dEf.js"); !ok || text != "js v1" {
		t.Errorf("got %q", text)
	}
}

func TestDrift(t *testing.T) {
	w := newWorld(t)
	w.apply(t, release("v1"))
	store := w.o.Store
	if err := store.Delete(t.Context(), []string{"assets/vendor.Zz9xYy8w.js"}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), put("robots.txt", "mine now")); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), put("foreign.txt", "other")); err != nil {
		t.Fatal(err)
	}
	found, err := site.Inspect(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(found.Missing, []string{"assets/vendor.Zz9xYy8w.js"}) || !slices.Equal(found.Altered, []string{"robots.txt"}) {
		t.Errorf("%+v", found)
	}
	w.o.Source = release("v1")
	plan, err := site.MakePlan(t.Context(), w.o)
	if err != nil {
		t.Fatal(err)
	}
	if plan.Summary() != "1 missing, 1 altered, 5 unchanged" || plan.Empty() || plan.Foreign != 1 {
		t.Errorf("plan: %s, %d foreign", plan.Summary(), plan.Foreign)
	}
	w.apply(t, release("v1"))
	if text, _ := w.get(t, "robots.txt"); text != "robots" {
		t.Errorf("robots.txt is %q", text)
	}
	if text, _ := w.get(t, "foreign.txt"); text != "other" {
		t.Error("touched a foreign object")
	}
}

func TestHeadersChange(t *testing.T) {
	w := newWorld(t)
	w.apply(t, release("v1"))
	w.o.MaxAge = time.Hour
	w.o.Source = release("v1")
	plan, err := site.MakePlan(t.Context(), w.o)
	if err != nil || plan.Summary() != "3 headers, 4 unchanged" {
		t.Errorf("%s, %v", plan.Summary(), err)
	}
}

func TestRollback(t *testing.T) {
	w := newWorld(t)
	first := w.apply(t, release("v1"))
	second := w.apply(t, release("v2"))
	w.o.Source = nil
	w.server.reset()
	back, err := site.Rollback(t.Context(), w.o, "")
	if err != nil {
		t.Fatal(err)
	}
	if back.Release != first.Release || back.Previous != second.Release {
		t.Errorf("%+v", back)
	}
	for path, file := range release("v1") {
		if strings.HasSuffix(path, ".map") || strings.HasSuffix(path, ".gz") {
			continue
		}
		if text, _ := w.get(t, path); text != string(file.Data) {
			t.Errorf("%s is %q", path, text)
		}
	}
	if w.server.count("PUT index.html") != 0 || w.server.count("COPY index.html") != 1 {
		t.Error("content was sent, not copied")
	}
	// And forward again, by name.
	forth, err := site.Rollback(t.Context(), w.o, second.Release)
	if err != nil || forth.Release != second.Release {
		t.Errorf("%+v, %v", forth, err)
	}
	found, err := site.Inspect(t.Context(), w.o.Store)
	if err != nil || len(found.Missing)+len(found.Altered) > 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestRollbackToNothing(t *testing.T) {
	w := newWorld(t)
	w.apply(t, release("v1"))
	if _, err := site.Rollback(t.Context(), w.o, ""); err == nil || !strings.Contains(err.Error(), "no earlier release") {
		t.Errorf("got %v", err)
	}
	if _, err := site.Rollback(t.Context(), w.o, "0123456789abcdef"); err == nil || !strings.Contains(err.Error(), "it has none") {
		t.Errorf("got %v", err)
	}
	if _, err := site.Rollback(t.Context(), w.o, "../release"); err == nil {
		t.Error("took a path for a release")
	}
}

// Killed after any request, a page never names what is not there, and the next
// run ends as if nothing had happened.
func TestKilledAnywhere(t *testing.T) {
	w := newWorld(t)
	w.apply(t, release("v1"))
	w.server.reset()
	w.apply(t, release("v2"))
	total := len(w.server.requests)
	for n := range total {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			w := newWorld(t)
			w.apply(t, release("v1"))
			w.server.reset()
			w.server.left, w.o.Source = n, release("v2")
			if _, err := site.Apply(t.Context(), w.o); err == nil {
				t.Fatal("no error")
			}
			w.server.reset()
			page, _ := w.get(t, "index.html")
			script := strings.TrimSuffix(strings.TrimPrefix(page, "<script src=/"), ">")
			if _, ok := w.get(t, script); !ok {
				t.Errorf("the page %q has no script", page)
			}
			w.server.reset()
			result := w.apply(t, release("v2"))
			if uploads := w.server.count("PUT assets/index.v2") + w.server.count("PUT index.html"); uploads > 2 || result.Release == "" {
				t.Errorf("%d uploads, %+v", uploads, result)
			}
			if again, err := site.MakePlan(t.Context(), w.o); err != nil || !again.Empty() {
				t.Errorf("not finished: %s, %v", again.Summary(), err)
			}
			found, err := site.Inspect(t.Context(), w.o.Store)
			if err != nil || len(found.Missing)+len(found.Altered) > 0 || found.Unfinished {
				t.Errorf("%+v, %v", found, err)
			}
			if n > 4 && len(w.cdn.paths) == 0 {
				t.Error("CloudFront was never told")
			}
			if back, err := site.Rollback(t.Context(), w.o, ""); err != nil || back.Previous != result.Release {
				t.Errorf("rollback: %+v, %v", back, err)
			}
		})
	}
}

// What was sent before the interruption is not sent again.
func TestInterruptedUploadGoesOn(t *testing.T) {
	w := newWorld(t)
	w.o.Jobs = 1
	many := release("v1")
	for n := range 50 {
		many[fmt.Sprintf("assets/chunk%d.A1b2C3d4.js", n)] = &fstest.MapFile{Data: fmt.Appendf(nil, "chunk %d", n)}
	}
	w.server.left, w.o.Source = 30, many
	if _, err := site.Apply(t.Context(), w.o); err == nil {
		t.Fatal("no error")
	}
	w.server.reset()
	result := w.apply(t, many)
	if result.Uploaded+result.Unchanged != 57 || result.Unchanged < 20 {
		t.Errorf("%+v", result)
	}
}

func TestTwoRunsAtOnce(t *testing.T) {
	w := newWorld(t)
	w.o.Source = release("v1")
	slow, err := site.MakePlan(t.Context(), w.o)
	if err != nil {
		t.Fatal(err)
	}
	earlier := w.o
	w.apply(t, release("v2"))
	if _, err := slow.Apply(t.Context(), earlier); !errors.Is(err, site.ErrConflict) {
		t.Errorf("got %v", err)
	}
	w.o.Source = release("v2")
	if plan, err := site.MakePlan(t.Context(), w.o); err != nil || !plan.Empty() {
		t.Errorf("the loser changed the bucket: %s, %v", plan.Summary(), err)
	}
}

func TestRemove(t *testing.T) {
	w := newWorld(t)
	w.apply(t, release("v1"))
	w.apply(t, release("v2"))
	if _, err := w.o.Store.Put(t.Context(), put("foreign.txt", "other")); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Remove(t.Context(), w.o); err != nil {
		t.Fatal(err)
	}
	left, err := w.o.Store.List(t.Context())
	if err != nil || len(left) != 1 || left[0].Key != "foreign.txt" {
		t.Errorf("left %v, %v", left, err)
	}
	if again, err := site.Remove(t.Context(), w.o); err != nil || again.Removed != 0 {
		t.Errorf("again: %+v, %v", again, err)
	}
}

func TestFileChangesWhileItIsUploaded(t *testing.T) {
	w := newWorld(t)
	source := release("v1")
	w.o.Source = source
	plan, err := site.MakePlan(t.Context(), w.o)
	if err != nil {
		t.Fatal(err)
	}
	source["assets/vendor.Zz9xYy8w.js"] = &fstest.MapFile{Data: []byte("rodnev")}
	if _, err := plan.Apply(t.Context(), w.o); err == nil || !strings.Contains(err.Error(), "vendor") {
		t.Errorf("got %v", err)
	}
	if _, ok := w.get(t, "index.html"); ok {
		t.Error("the page went up")
	}
}

func TestBadInput(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	if err := os.Symlink("/etc/hostname", filepath.Join(outside, "index.html")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		ref  string
		want string
	}{
		{"no index", t.TempDir(), "no index.html"},
		{"a loop", dir, "loop"},
		{"a link that leads out", outside, "index.html"},
		{"no such directory", filepath.Join(dir, "absent"), "absent"},
		{"a file", "site_test.go", "site_test.go"},
		{"no such image", "oci:" + dir, "OCI layout"},
	} {
		t.Run(test.name, func(t *testing.T) {
			source, err := frontend.Open(t.Context(), frontend.From{Ref: test.ref, Path: "/app/client/dist"})
			if err == nil {
				defer source.Close()
				w.o.Source = source
				_, err = site.Apply(t.Context(), w.o)
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if left, err := w.o.Store.List(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("the bucket changed: %v, %v", left, err)
	}
}

func TestBadBucket(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		region string
		want   string
	}{
		{"other region", http.StatusMovedPermanently, "us-east-1", "is in us-east-1, not in eu-west-1"},
		{"other owner", http.StatusForbidden, "eu-west-1", "another account's"},
		{"none", http.StatusNotFound, "", "does not exist"},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed := false
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				changed = changed || r.Method != http.MethodHead
				if test.region != "" {
					w.Header().Set("X-Amz-Bucket-Region", test.region)
				}
				w.WriteHeader(test.status)
			}))
			defer server.Close()
			o := site.Options{Source: release("v1"), Store: connect(t, server.URL).Bucket("site", "123456789012")}
			if _, err := site.Apply(t.Context(), o); err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "file does not exist") {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if changed {
				t.Error("asked for more than the bucket")
			}
		})
	}
}

func TestDamagedMemory(t *testing.T) {
	for text, want := range map[string]string{
		"{":             "hint: delete the object",
		`{"version":9}`: "format 9",
		`{"version":1,"id":"a","files":{"../x":{}}}`: `"../x"`,
	} {
		w := newWorld(t)
		if _, err := w.o.Store.Put(t.Context(), put(site.Prefix+"release.json", text)); err != nil {
			t.Fatal(err)
		}
		w.o.Source = release("v1")
		if _, err := site.Apply(t.Context(), w.o); err == nil || !strings.Contains(hint.Text(err), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestStopsWithItsContext(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.o.Source, w.o.Jobs = release("v1"), 1
	w.o.Progress = func(e site.Event) {
		if e.Step == "upload" {
			cancel()
		}
	}
	if _, err := site.Apply(ctx, w.o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func Test2000Files(t *testing.T) {
	w := newWorld(t)
	source := fstest.MapFS{"index.html": {Data: []byte("page")}}
	for n := range 2000 {
		source[fmt.Sprintf("assets/c%04d.A1b2C3d4.js", n)] = &fstest.MapFile{Data: fmt.Appendf(nil, "chunk %d", n)}
	}
	w.apply(t, source)
	for n := range 10 {
		delete(source, fmt.Sprintf("assets/c%04d.A1b2C3d4.js", n))
		source[fmt.Sprintf("assets/c%04d.E5f6G7h8.js", n)] = &fstest.MapFile{Data: fmt.Appendf(nil, "new %d", n)}
	}
	source["index.html"] = &fstest.MapFile{Data: []byte("new page")}
	w.server.reset()
	result := w.apply(t, source)
	if result.Uploaded != 11 || result.Retired != 10 || result.Unchanged != 1990 {
		t.Errorf("%+v", result)
	}
	if n := len(w.server.requests); n > 24 {
		t.Errorf("%d requests", n)
	}
}
