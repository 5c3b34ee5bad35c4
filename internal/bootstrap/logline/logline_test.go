package logline

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStepsAreReadAsTheyAreWritten(t *testing.T) {
	var out bytes.Buffer
	log := New(&out, false)
	log.Debug("not at this level")
	log.Info("the cold start is no step of one")
	ColdStart(log, "secrets", 6, 12*time.Millisecond)
	AppStart(log, "spawn", 1600*time.Microsecond)
	var got []Step
	for line := range strings.Lines(out.String()) {
		if step, ok := ParseStep(strings.TrimSpace(line)); ok {
			got = append(got, step)
		}
	}
	want := []Step{{"secrets", 12 * time.Millisecond, true}, {"spawn", 2 * time.Millisecond, false}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, out.String())
	}
}

func TestLinesHoldNoSecrets(t *testing.T) {
	var b bytes.Buffer
	log := New(&b, true).With("path", "/a?token=hunter2")
	log.Error("GET /cb?code=hunter2", "error", errors.New("Authorization: Bearer hunter2hunter2"), "also", "/b#id_token=hunter2&x=1")
	if strings.Contains(b.String(), "hunter2") || strings.Count(b.String(), "[redacted]") != 4 || !strings.Contains(b.String(), "&x=1") && !strings.Contains(b.String(), `\u0026x=1`) {
		t.Error(b.String())
	}
}
