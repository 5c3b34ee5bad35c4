package rehearsal_test

import (
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/chromedp"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/chromiumtest"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/testkit"
	"github.com/aproorg/sluice/internal/timeline"
)

// photo is a picture of so many bytes at least, as a camera makes it: nothing of it compresses.
func photo(t *testing.T, size int) string {
	t.Helper()
	side := 1
	for 3*side*side < size {
		side++
	}
	shot := image.NewNRGBA(image.Rect(0, 0, side, side))
	source := rand.NewChaCha8([32]byte{7})
	_, _ = source.Read(shot.Pix)
	for i := 3; i < len(shot.Pix); i += 4 {
		shot.Pix[i] = 255
	}
	path := filepath.Join(t.TempDir(), "photo.png")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(file, shot); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestBuiltLargeFiles attaches files past Lambda's 6 MB to a chat, as a person does.
func TestBuiltLargeFiles(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		w := start(t, r, nil, func(c *rehearse.Config) { c.Concurrency = everyday })
		p := browse(t, w, 8*time.Minute)
		p.login()
		file := photo(t, 20<<20)
		p.attach(file)
		testkit.Wait(t, opening, "the upload", func() (string, bool) {
			seen := strings.Join(w.uploads(), "\n")
			return seen, strings.Contains(seen, "POST /api/files/images 200")
		})
		chromiumtest.Picture(t, p.ctx, "upload-"+r.Version)
		for _, line := range w.uploads() {
			t.Log(line)
		}
	})
}

// attach gives a file to the page's own input, as its menu does.
func (p *tab) attach(files ...string) {
	p.t.Helper()
	p.within(soon, "an input for files", `document.querySelector('input[type="file"]')`)
	nodes, err := chromedp.Run(p.ctx, chromedp.Nodes(chromedp.CSS(`input[type="file"]`)))
	if err != nil || len(nodes) == 0 {
		p.t.Fatalf("%d inputs for files: %v", len(nodes), err)
	}
	if _, err := chromedp.Call(p.ctx, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: files, NodeID: nodes[0].NodeID}); err != nil {
		p.t.Fatal(err)
	}
}

// uploads are the requests that brought a body by way of S3, as the record has them.
func (w *world) uploads() (lines []string) {
	events, _ := w.Recorder.Since(0)
	path := map[string]string{}
	for _, e := range events {
		switch {
		case e.Kind == timeline.RequestStart && e.Hop == timeline.CloudFront:
			path[e.Request] = e.Method + " " + e.Path
		case e.Kind == timeline.RequestEnd && e.Hop == timeline.CloudFront && (strings.Contains(path[e.Request], "_sluice") || strings.Contains(path[e.Request], "/api/files")):
			lines = append(lines, fmt.Sprintf("%s %d", path[e.Request], e.Status))
		}
	}
	return lines
}
