// Package demo is the application that a newcomer sees first: a small chat whose answers stream, with a static front end.
//
// It is two things, as every app behind Sluice is. [Site] is the built front end, for a bucket: plain HTML, CSS and
// JavaScript whose asset names carry their hash. [Run] is the API server, for an execution environment: it listens on a
// loopback port and knows nothing of Lambda. The app is there to show what the path does to an app, so that each answer
// says which environment gave it, and there is a way to stream, to think in silence, to work on after the response, to
// upload, to download, to hang and to crash.
//
// Answers stream in the two ways that chat apps use. POST /api/chat is itself the event stream. POST /api/chat/start
// answers at once and generates afterwards, and GET /api/chat/stream/{id} reads it, from any process, from any event on.
//
// GET /busy is the path for the bootstrap's SLUICE_BUSY_PATH: 503 while work goes on after a response, else 200.
//
// State is a set of append-only logs: in a directory where one is given (DEMO_STATE_DIR), so that processes on one
// machine share it, else in the memory of the process, so that each execution environment knows only its own visitors.
//
// It leaves out passwords (a name is a login), a language model (answers are composed from fixed material, the same
// ones for the same question and seed), and any protection against its own buttons: it is not for the open internet.
package demo
