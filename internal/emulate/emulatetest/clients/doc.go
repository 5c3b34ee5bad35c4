// Package clients holds Amazon's published runtime clients against the emulator of
// Lambda: the same function, written for each of them, runs unmodified as it would on
// AWS. A client whose toolchain or packages are missing skips. It has tests only, and
// leaves out what a client never does (package emulatetest asks for that by a runtime
// of its own).
package clients
