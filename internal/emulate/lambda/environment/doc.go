// Package environment runs one execution environment of a Lambda function from its
// init phase to its end.
//
// It models:
//   - The init phase with its limit of 10 s; after a failure the repeated init
//     within the first invocation, under the function's timeout; provisioned
//     environments with max(130 s, timeout). (lambda-runtime-environment.html)
//   - SnapStart: an init phase of max(130 s, timeout) up to restore/next, before any
//     request and without a second try; the restore with its limit of 10 s, up to the
//     first next; the variables and log lines that it changes. (snapstart.html,
//     snapstart-runtime-hooks-custom.html, snapstart-monitoring.html)
//   - The freeze of every process between the runtime's call of next and the next
//     invocation, and nowhere else: a runtime that delays next keeps running, and
//     its invocation lasts that long. State Draining is that time.
//   - The function's timeout and memory, with the log lines and error documents
//     that Lambda writes; crash and reset, with /tmp kept.
//   - Shutdown: SIGKILL at once without extensions; SIGTERM and 500 ms with an
//     internal one, SIGTERM, the SHUTDOWN event and 2 s with an external one.
//   - The function's directory at /var/task, LAMBDA_TASK_ROOT.
//   - The variables that Lambda sets and nothing of the user's shell; 4 KB of
//     configured ones and the reserved names. (configuration-envvars.html)
//   - START, END, REPORT and INIT_REPORT lines; init billed as since August 2025.
//     (monitoring-cloudwatchlogs-view.html)
//
// It refuses a process whose program or directories are not there, and variables
// that Lambda refuses.
//
// It cannot know speed: CPU does not follow memory, images are not fetched, the
// network to a VPC is this machine's.
//
// It leaves to others which invocation it gets (package lambda, as a [Pool]), what
// its processes may see (package sandbox) and what they say (package runtimeapi).
// Pages are below https://docs.aws.amazon.com/lambda/latest/dg/.
package environment
