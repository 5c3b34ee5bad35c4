// Package lambda emulates AWS Lambda's data plane for one function: it takes
// invocations as the Invoke and InvokeWithResponseStream operations do, and runs
// the function's program in execution environments that start, work, freeze and
// end as Lambda's do. The program is a custom runtime (the image's entry point)
// and sees the Runtime API and the Extensions API.
//
// # What it models
//
//   - One invocation at a time per environment; scale-out up to a concurrency, then
//     429 at once; no queue, unless Config.Queue asks for one. (concepts: lambda-concurrency.html)
//   - The init phase with its limit of 10 s; after a failure the repeated init
//     within the first invocation, under the function's timeout; provisioned
//     environments with max(130 s, timeout). (lambda-runtime-environment.html)
//   - The freeze of every process between the runtime's call of next and the next
//     invocation, and nowhere else: a runtime that delays next keeps running, and
//     its invocation lasts that long. State Draining is that time.
//   - Runtime API 2018-06-01: next, response buffered and streamed (with the error
//     trailers), error, init/error, statuses 202, 400, 403, 413. (runtimes-api.html)
//   - Extensions API 2020-01-01: register, event/next, init/error, exit/error.
//     (runtimes-extensions-api.html)
//   - The function's timeout and memory, with the log lines and error documents
//     that Lambda writes; crash and reset, with /tmp kept.
//   - Shutdown: SIGKILL at once without extensions; SIGTERM and 500 ms with an
//     internal one, SIGTERM, the SHUTDOWN event and 2 s with an external one.
//   - Limits: event 6 MB, buffered answer 6 MB, streamed answer 200 MB with the
//     first 6 MB free and 2 MB/s after (configuration-response-streaming.html), 4 KB
//     of configured environment and its reserved names, 1,024 file descriptors.
//   - A /tmp per environment, a read-only file system, the environment variables
//     Lambda sets and nothing of the user's shell, as far as the machine allows
//     (package sandbox; Emulator.Missing says what it does not).
//   - START, END, REPORT and INIT_REPORT lines; init billed as since August 2025.
//   - A client that goes away stops nothing.
//
// # What it refuses
//
//   - Asynchronous invocation (InvocationType Event): 400.
//   - SnapStart: restore/next and restore/error give 403.
//   - The Logs, Telemetry and credentials APIs: 404.
//   - Names of other functions: 404 ResourceNotFoundException.
//
// # What it cannot know
//
//   - Speed: CPU does not follow memory, images are not fetched, the network to a
//     VPC is this machine's.
//   - Which environment Lambda picks. Here it is the one used last, and a cold start
//     is bound to the request that caused it.
//   - When Lambda recycles an environment. Here: MaxAge, MaxInvocations, or a hand.
//   - ErrorCode and ErrorDetails of the InvokeComplete event are not specified;
//     here they are the error type and the error document. So are the statuses that
//     next gives to a process which outlived its environment (here 410).
//   - The rate of scale-out (1,000 environments per 10 s), the size of /tmp, signatures
//     and permissions are not rehearsed. A ReservedConcurrency of 0 means
//     unreserved here, not a function that is switched off.
//
// Pages are below https://docs.aws.amazon.com/lambda/latest/dg/.
package lambda
