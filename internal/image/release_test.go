package image_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/librechattest"
	"github.com/aproorg/sluice/internal/image"
)

// report is what a release finds in its environment, on Lambda and in its image.
type report struct {
	Hooked  bool // the script for newer releases has taken hold of LibreChat's jobs
	Waited  bool // nothing was asked before the line that says that it is ready
	Event   string
	Silence string
}

// teller is a server in a release's place that answers with that.
const teller = `const http = require('http')
const jobs = require('@librechat/api').GenerationJobManager
let ready = false
http.createServer((q, s) => s.end(q.url !== '/' ? '' : JSON.stringify({
	Hooked: jobs.configure !== jobs.createJob && Object.hasOwn(http.Server.prototype, 'emit'), Waited: ready,
	Event: process.env.SLUICE_DEADLINE_EVENT, Silence: process.env.SLUICE_SILENCE_LIMIT || '',
}))).listen(process.env.PORT, '127.0.0.1', () => setTimeout(() => {
	ready = true
	console.log('[GenerationJobManager] Configured with Redis stores')
}, 700))`

const manager = `const f = () => {}
exports.GenerationJobManager = { configure: f, createJob: f, abortJob: f, subscribe: f }`

// A release of either design gets what it needs from its image alone: the
// function's environment is the same, and names none of it.
func TestImageBringsWhatTheReleaseNeeds(t *testing.T) {
	node := nodeLayer(t)
	for _, test := range []struct {
		design facts.Design
		want   report
	}{
		{facts.StreamsInPost, report{}},
		{facts.GeneratesAfterPost, report{Hooked: true, Waited: true, Silence: "2m"}},
	} {
		t.Run(test.design.String(), func(t *testing.T) {
			base := appImage(t, []string{"node", "/app/api/server/teller.js"}, node, files(t, release(t, test.design)))
			var o image.Options
			o.Files, o.Env = facts.ImageAdditions()
			root, config := unpacked(t, base, o)
			var answer struct {
				StatusCode int
				Body       string
			}
			if err := json.Unmarshal([]byte(invoke(t, root, config)), &answer); err != nil {
				t.Fatal(err)
			}
			var got report
			if err := json.Unmarshal([]byte(answer.Body), &got); err != nil {
				t.Fatalf("%v: %s", err, answer.Body)
			}
			test.want.Event = facts.Release{Design: test.design}.Bootstrap()["SLUICE_DEADLINE_EVENT"]
			got.Waited = got.Waited && test.want.Waited // that it came late by chance means nothing
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// release is a stand-in's files by their names in the image.
func release(t *testing.T, design facts.Design) map[string]string {
	t.Helper()
	dir := t.TempDir()
	if err := librechattest.Write(dir, design); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"api/server/teller.js": teller, "node_modules/@librechat/api/index.js": manager} {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names["app/"+name] = filepath.Join(dir, filepath.FromSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
