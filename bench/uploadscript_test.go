package bench

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/aproorg/sluice/internal/uploadscript"
)

// BenchmarkUploadScript sends small requests from a page in Chromium that has the script of uploads, against one that has not:
// JSON by fetch and by XMLHttpRequest, and a form with a file.
func BenchmarkUploadScript(b *testing.B) {
	if _, err := exec.LookPath("chromium"); err != nil {
		b.Skip("Chromium is not here: make deps")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /with", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `<!doctype html><script src="/uploads.js"></script>`)
	})
	mux.HandleFunc("GET /without", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `<!doctype html>`) })
	mux.HandleFunc("GET /uploads.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write(uploadscript.Script())
	})
	mux.HandleFunc("POST /api", func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	server := httptest.NewServer(mux)
	defer server.Close()
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(b.TempDir()))...)
	defer cancel()
	tab, cancelTab := chromedp.NewContext(allocator)
	defer cancelTab()

	round := func(page string) float64 {
		if err := chromedp.Do(tab, chromedp.Navigate(server.URL+page)); err != nil {
			b.Fatal(err)
		}
		took, err := chromedp.Run(tab, chromedp.Evaluate[float64](smallRequests, chromedp.EvalAwaitPromise))
		if err != nil {
			b.Fatal(err)
		}
		return took
	}
	var ratios []float64
	for b.Loop() {
		for range 7 {
			first, second := round("/with"), round("/without")
			ratios = append(ratios, first/second)
		}
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "with/without")
	b.ReportMetric(0, "ns/op")
}

// smallRequests are the milliseconds that some take one after the other, after as many that are not counted.
const smallRequests = `(async () => {
	const json = JSON.stringify({ text: 'x'.repeat(1000) }), file = new Blob(['y'.repeat(10000)]);
	const xhr = (body) => new Promise((resolve) => { const x = new XMLHttpRequest(); x.open('POST', '/api'); x.setRequestHeader('Authorization', 'Bearer t'); x.onloadend = resolve; x.send(body); });
	const all = async (n) => { for (let i = 0; i < n; i++) {
		await (await fetch('/api', { method: 'POST', body: json })).text();
		await xhr(json);
		const form = new FormData(); form.append('a', 'b'); form.append('file', file, 'f'); await xhr(form);
	} };
	await all(40);
	const begun = performance.now();
	await all(100);
	return performance.now() - begun;
})()`
