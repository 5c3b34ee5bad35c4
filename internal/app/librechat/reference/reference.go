// Package reference writes docs/librechat.md: a text by hand around the contract
// of LibreChat's environment, which is that of the code. It leaves out how any of
// it is done.
package reference

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/app/librechat/facts"
)

//go:generate go run ../../../docgen librechat ../../../../docs/librechat.md

//go:embed librechat.md
var text string

// Markdown is the document.
func Markdown() string {
	older := map[string]bool{}
	for _, v := range (facts.Release{Design: facts.StreamsInPost}).Contract() {
		older[v.Name] = true
	}
	var b strings.Builder
	b.WriteString("| variable | who sets it | secret | value | why |\n|---|---|---|---|---|\n")
	for _, v := range (facts.Release{Design: facts.GeneratesAfterPost}).Contract() {
		why := v.Why
		if !older[v.Name] {
			why += " (from v0.8.2-rc2)"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", v.Name, by(v.Need), yes(v.Secret), code(v.Value), cell(why))
	}
	return strings.Replace(text, "<!-- contract -->\n", b.String(), 1)
}

// by sets what the reader has to do apart from what is done.
func by(n app.Need) string {
	if n == app.Required {
		return "**" + n.By() + "**"
	}
	return n.By()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + cell(s) + "`"
}

// cell keeps a text in its cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
