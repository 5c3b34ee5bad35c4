package stream

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
)

// TestEndlessStream: a stream that never ends does not fill the memory.
func TestEndlessStream(t *testing.T) {
	var r Recording
	r.read(endless(strings.Repeat(": x\n\n", 1000)), &description.Stream{})
	if !errors.Is(r.err, errRecordingTooLarge) {
		t.Errorf("it ended with %v after %d events", r.err, len(r.Arrivals))
	}
}

// endless says the same again and again.
type endless string

func (e endless) Read(p []byte) (int, error) { return copy(p, e), nil }

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
