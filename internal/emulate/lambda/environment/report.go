package environment

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda/runtimeapi"
)

// report is the line that ends an invocation in the log. The init phase is
// billed with the first invocation, as since August 2025.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html
func (e *Environment) report(v *Invocation, took time.Duration, f *runtimeapi.Failure) string {
	if timeout := e.cfg.Function.Timeout; took > timeout {
		took = timeout
	}
	init := e.initTime
	e.initTime = 0
	e.mu.Lock()
	used := e.maxMemory
	e.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB\t",
		v.ID, ms(took), int(math.Ceil(ms(took+init))), e.cfg.Function.MemorySize, (used+mb-1)/mb)
	if init > 0 {
		fmt.Fprintf(&b, "Init Duration: %.2f ms\t", ms(init))
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
