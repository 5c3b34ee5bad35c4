package environment

import (
	"math"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda/runtimeapi"
)

// The events of the platform, of schema 2022-12-13.
// https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html

type record = map[string]any

// outcome adds how something ended.
func outcome(r record, f *runtimeapi.Failure) record {
	switch {
	case f == nil:
		r["status"] = "success"
		return r
	case f.Kind == runtimeapi.Timeout:
		r["status"] = "timeout"
	default:
		r["status"] = "error"
	}
	r["errorType"] = f.Kind
	return r
}

func trace(v *Invocation) record { return record{"type": "X-Amzn-Trace-Id", "value": v.Trace} }

// initPhase is where an init phase belongs: a repeated one to its invocation.
func initPhase(request string) string {
	if request != "" {
		return "invoke"
	}
	return "init"
}

func (e *Environment) tellInitStart(request string) {
	f := e.cfg.Function
	e.session.Tell("platform.initStart", record{
		"initializationType": e.initializationType(), "phase": initPhase(request), "functionName": f.FunctionName, "functionVersion": e.cfg.Version,
		"instanceId": e.logStream, "instanceMaxMemory": int64(f.MemorySize) * mb,
	})
}

// tellInit is called at the end of an init phase.
func (e *Environment) tellInit(request string, took time.Duration, f *runtimeapi.Failure) {
	about := func() record {
		return record{"initializationType": e.initializationType(), "phase": initPhase(request)}
	}
	e.session.Tell("platform.initRuntimeDone", outcome(about(), f))
	e.session.TellExtensions()
	r := outcome(about(), f)
	r["metrics"] = record{"durationMs": ms(took)}
	e.session.Tell("platform.initReport", r)
}

func (e *Environment) tellStart(v *Invocation) {
	e.session.Tell("platform.start", record{"requestId": v.ID, "version": e.cfg.Version, "tracing": trace(v)})
}

// tellRuntimeDone is called when the runtime is through with an invocation.
func (e *Environment) tellRuntimeDone(v *Invocation, f *runtimeapi.Failure) {
	r := outcome(record{"requestId": v.ID, "tracing": trace(v)}, f)
	metrics := record{"durationMs": ms(time.Since(v.Began)), "producedBytes": 0}
	select {
	case <-v.Responded():
		if from, until, bytes := v.Sent(); !from.IsZero() {
			metrics["producedBytes"] = bytes
			r["spans"] = []record{span("responseLatency", v.Began, from), span("responseDuration", from, until)}
		}
	default:
	}
	r["metrics"] = metrics
	e.session.Tell("platform.runtimeDone", r)
}

func span(name string, from, until time.Time) record {
	return record{"name": name, "start": from.UTC().Format(runtimeapi.TelemetryTime), "durationMs": ms(until.Sub(from))}
}

func (e *Environment) tellReport(v *Invocation, m measured, f *runtimeapi.Failure) {
	metrics := record{"durationMs": ms(m.took), "billedDurationMs": m.billed(), "memorySizeMB": m.size, "maxMemoryUsedMB": m.used}
	if m.init > 0 {
		metrics["initDurationMs"] = ms(m.init)
	}
	if m.restored > 0 {
		metrics["restoreDurationMs"], metrics["billedRestoreDurationMs"] = ms(m.restored), int(math.Ceil(ms(m.restored)))
	}
	e.session.Tell("platform.report", outcome(record{"requestId": v.ID, "tracing": trace(v), "metrics": metrics}, f))
}
