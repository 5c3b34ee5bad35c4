package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aproorg/sluice/internal/app"
)

// UsageError is a fault of the command line.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

// Usage makes err a fault of the command line.
func Usage(err error) error { return &UsageError{err} }

// Usagef is a fault of the command line with a text as fmt.Errorf makes it.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// IsUsage reports whether err is a fault of the command line: one that a command
// found, or one that only the app could see.
func IsUsage(err error) bool {
	var ours *UsageError
	var apps *app.UsageError
	return errors.As(err, &ours) || errors.As(err, &apps)
}

// exitAnnotation is where a command keeps what its exit codes mean.
const exitAnnotation = "exit"

// ExitCodes are a command's Annotations that say in its --help what its own exit codes
// mean, one line each. Those that all commands have are added there.
func ExitCodes(lines ...string) map[string]string {
	return map[string]string{exitAnnotation: "  " + strings.Join(lines, "\n  ")}
}
