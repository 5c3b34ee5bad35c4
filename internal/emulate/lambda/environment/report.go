package environment

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda/runtimeapi"
)

// measured is what an invocation took.
type measured struct {
	took       time.Duration
	init       time.Duration // zero unless an init phase is billed with it
	restored   time.Duration // zero unless a restore is
	size, used int64         // MB of memory
}

// measure is called once for each invocation.
func (e *Environment) measure(took time.Duration) measured {
	m := measured{took: min(took, e.cfg.Function.Timeout), init: e.initTime, restored: e.restored, size: int64(e.cfg.Function.MemorySize)}
	e.initTime, e.restored = 0, 0
	e.mu.Lock()
	defer e.mu.Unlock()
	m.used = (e.maxMemory + mb - 1) / mb
	return m
}

// billed is in milliseconds. The init phase is billed with the first invocation, as
// since August 2025.
func (m measured) billed() int { return int(math.Ceil(ms(m.took + m.init))) }

// line ends an invocation in the log.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html
func (m measured) line(v *Invocation, f *runtimeapi.Failure) string {
	var b strings.Builder
	fmt.Fprintf(&b, "REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB\t",
		v.ID, ms(m.took), m.billed(), m.size, m.used)
	if m.init > 0 {
		fmt.Fprintf(&b, "Init Duration: %.2f ms\t", ms(m.init))
	}
	if m.restored > 0 { // what of it Lambda itself takes and does not bill is not known here
		fmt.Fprintf(&b, "Restore Duration: %.2f ms\tBilled Restore Duration: %d ms\t", ms(m.restored), int(math.Ceil(ms(m.restored))))
	}
	b.WriteString(status(f))
	return b.String()
}

// initReport tells of an init phase that failed or was repeated.
func initReport(took time.Duration, phase string, f *runtimeapi.Failure) string {
	return fmt.Sprintf("INIT_REPORT Init Duration: %.2f ms\tPhase: %s\t%s", ms(took), phase, status(f))
}

func status(f *runtimeapi.Failure) string {
	switch {
	case f == nil:
		return ""
	case f.Kind == runtimeapi.Timeout:
		return "Status: timeout"
	}
	return "Status: error\tError Type: " + f.Kind
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
