package rehearsal_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
)

// What tells of one process is no page: it is not answered with index.html, and starts
// no environment.
func TestProcessPathsAreRefused(t *testing.T) { refused(t, todayWorld(t, nil)) }

func TestProcessPathsAreRefusedBuilt(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) { refused(t, start(t, r, nil, nil)) })
}

func refused(t *testing.T, w *world) {
	before := len(w.environments())
	for _, path := range append(facts.Refused(), "/metrics?x=1") {
		resp, err := http.Get(w.ViewerURL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound || strings.Contains(string(body), "<html") {
			t.Errorf("%s is answered with %s: %.200s", path, resp.Status, body)
		}
	}
	if after := len(w.environments()); after != before {
		t.Errorf("%d environments for requests that are refused", after-before)
	}
}
