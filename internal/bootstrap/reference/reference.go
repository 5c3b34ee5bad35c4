// Package reference writes the bootstrap's contract, docs/bootstrap.md: a text
// by hand around the table of settings, which is that of the code. It leaves out
// how any of it is done.
package reference

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
)

//go:generate go run ../../docgen bootstrap ../../../docs/bootstrap.md

//go:embed bootstrap.md
var text string

// Markdown is the document.
func Markdown() string {
	var b strings.Builder
	for _, group := range settings.Groups {
		fmt.Fprintf(&b, "### %s\n\n| variable | default | meaning |\n|---|---|---|\n", group)
		for _, s := range settings.Table() {
			if s.Group == group {
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s.Name, code(s.Default), cell(s.Meaning))
			}
		}
		b.WriteString("\n")
	}
	return strings.Replace(text, "<!-- settings -->\n", strings.TrimSuffix(b.String(), "\n"), 1)
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + cell(s) + "`"
}

// cell keeps a text in its cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
