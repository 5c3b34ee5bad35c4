// Package emulatetest holds contract suites: what a client may rely on, run
// against the emulators at every test and against AWS on request (a flag, or the
// environment variable that is its default, names what to run against). It leaves
// out what only an emulator can be asked, which is tested beside it.
package emulatetest
