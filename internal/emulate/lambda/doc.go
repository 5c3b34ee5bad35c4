// Package lambda emulates AWS Lambda's data plane for one function: it takes
// invocations as the Invoke and InvokeWithResponseStream operations do, and runs
// the function's program in execution environments that start, work, freeze and
// end as Lambda's do. The program is a custom runtime (the image's entry point)
// and sees the Runtime API and the Extensions API.
//
// This package is the front: the Invoke API and the choice of an environment. What
// happens in one environment is in package environment, what its processes say in
// package runtimeapi, what they may see in package sandbox. Each lists what it
// models, too.
//
// # What it models
//
//   - One invocation at a time per environment; scale-out up to a concurrency, then
//     429 at once; no queue, unless Config.Queue asks for one. (concepts: lambda-concurrency.html)
//   - Provisioned concurrency.
//   - SnapStart: a version that is published with one init phase, or not, and
//     environments that are restored for a request each. (snapstart.html)
//   - Limits: event 6 MB, buffered answer 6 MB, streamed answer 200 MB with the
//     first 6 MB free and 2 MB/s after (configuration-response-streaming.html), 4 KB
//     of configured environment and its reserved names, 1,024 file descriptors.
//   - A /tmp per environment, a read-only file system, the environment variables
//     Lambda sets and nothing of the user's shell, as far as the machine allows
//     (Emulator.Missing says what it does not).
//   - Errors of the function and errors of the API, dry runs, the log's tail.
//   - A client that goes away stops nothing.
//
// # What it refuses
//
//   - Asynchronous invocation (InvocationType Event): 400.
//   - The Logs API (package runtimeapi).
//   - Names of other functions: 404 ResourceNotFoundException.
//
// # What it cannot know
//
//   - Speed: CPU does not follow memory, images are not fetched, the network to a
//     VPC is this machine's.
//   - Which environment Lambda picks. Here it is the one used last, and a cold start
//     is bound to the request that caused it.
//   - How long Lambda takes to restore a snapshot, and which message it has for a
//     version that it does not publish.
//   - When Lambda recycles an environment. Here: MaxAge, MaxInvocations, or a hand.
//   - ErrorCode and ErrorDetails of the InvokeComplete event are not specified;
//     here they are the error type and the error document.
//   - The rate of scale-out (1,000 environments per 10 s), the size of /tmp and
//     permissions are not rehearsed; signatures are package sigv4's. A ReservedConcurrency of 0 means
//     unreserved here, not a function that is switched off.
//
// Pages are below https://docs.aws.amazon.com/lambda/latest/dg/.
package lambda
