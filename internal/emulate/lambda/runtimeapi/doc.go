// Package runtimeapi serves the Runtime API and the Extensions API to the processes
// of one execution environment, as Lambda does at the address in
// AWS_LAMBDA_RUNTIME_API, and keeps the state that their calls move.
//
// It models:
//   - Runtime API 2018-06-01: next, response buffered or streamed as the invoker asked
//     (with the error trailers), error, init/error, statuses 202, 400, 403, 405, 413.
//     (runtimes-api.html)
//   - Extensions API 2020-01-01: register, event/next, init/error, exit/error.
//     (runtimes-extensions-api.html)
//   - The limits of an answer, and its speed after the burst.
//     (configuration-response-streaming.html)
//
// Texts, states and statuses are those of rapid, Amazon's own server of both, in
// github.com/aws/aws-lambda-runtime-interface-emulator.
//
// It models the Telemetry API 2022-07-01 as well: subscriptions by HTTP, in batches, to
// events of the platform and lines of the logs. (telemetry-api.html)
//
// With SnapStart it has restore/next, restore/error and the credentials API 2021-04-23,
// which answer 404 without it. (snapstart-runtime-hooks-custom.html; the credentials are
// in no page, but in rapid)
//
// It refuses telemetry by TCP; the Logs API answers that it is not supported (202).
//
// It cannot know which status next gives to a process that outlived its environment
// (here 410), and how long the credentials of a restored environment hold (here an hour).
//
// It leaves processes, deadlines and phases to package environment, which waits on
// the channels of a [Session]. Pages are below
// https://docs.aws.amazon.com/lambda/latest/dg/.
package runtimeapi
