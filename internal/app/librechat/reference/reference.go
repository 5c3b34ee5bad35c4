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

// releases are the first of each whose variables are others.
var releases = []facts.Release{
	{Design: facts.StreamsInPost},
	{Version: "v0.8.2-rc2", Design: facts.GeneratesAfterPost},
	{Version: "v0.8.7", Design: facts.GeneratesAfterPost, KeepsJobs: true},
	{Version: "v0.8.8-rc1", Design: facts.GeneratesAfterPost, KeepsJobs: true, AcrossProcesses: true},
}

// Markdown is the document.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| variable | who sets it | secret | value | why |\n|---|---|---|---|---|\n")
	known := map[string]bool{}
	for n, r := range releases {
		for _, v := range r.Contract() {
			if known[v.Name] {
				continue
			}
			known[v.Name] = true
			why := v.Why
			if n > 0 {
				why += " (from " + r.Version + ")"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", v.Name, by(v.Need), yes(v.Secret), code(v.Value), cell(why))
		}
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
