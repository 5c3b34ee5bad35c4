// Package function runs CloudFront Functions at viewer-request and
// viewer-response.
//
// It models: the event structure with its order of parameters, headers and cookies;
// what of a request and a response a function may change, and what it may answer
// itself; runtimes 1.0 and 2.0; the modules crypto and querystring; console.log;
// strict mode, a clock that stands still, no code made at run time.
//
// It refuses: functions over 10 KB, language that CloudFront does not have (classes,
// generators; with runtime 1.0 let, const, async and optional chaining), modules
// and globals that are not emulated (key value stores, Buffer); at run time, as
// [InvalidResult], changes of what is read-only, headers that cannot be sent, bodies
// over 40 KB.
//
// It cannot know a function's compute utilization (a run is stopped after 500 ms)
// and its 2 MB of memory.
//
// Sources: CloudFront developer guide, "CloudFront Functions event structure",
// "JavaScript runtime 1.0 features", "JavaScript runtime 2.0 features",
// "Restrictions on edge functions", "Quotas".
package function
