package stream

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
)

func TestACutStreamIsExplainedByItsLastSilence(t *testing.T) {
	for after, want := range map[time.Duration]string{
		30 * time.Second:       "CloudFront's default",
		5 * time.Minute:        "streaming REST API",
		15 * time.Second:       "idle timeout",
		200 * time.Millisecond: "truncates",
	} {
		r := recording(false, 0, 100)
		r.ended = r.Arrivals[1].At.Add(after)
		for _, r.err = range []error{nil, errors.New("reset")} {
			got := report.ResultOf("", report.Finding{}, r.Whole(&description.Stream{Final: "x"}), 0)
			if got.Status != report.Fail || !strings.Contains(got.Hint, want) {
				t.Errorf("after %s: %s, hint %q", after, got.Detail, got.Hint)
			}
		}
	}
}
