// Package ui is what a person or a program sees of a command: plain lines,
// a status line that is redrawn, tables, colours, or JSON events, one a line.
//
// The rules of the terminal are all here:
//   - Results go to standard output, progress and errors to standard error; a
//     pipe gets no escape sequence, ever.
//   - Colours only on a terminal, not with NO_COLOR set to anything, and not on
//     TERM=dumb.
//   - The status is one line at the bottom, on a terminal only; other lines go
//     above it and stay. In a pipe there is no status, and no line is lost.
//   - Text of others (paths, log lines) is shown without its control characters,
//     so that an app cannot rewrite the terminal.
//   - With JSON, standard output has JSON lines only.
//
// It leaves out what is said: commands and their wording are package cli's.
package ui
