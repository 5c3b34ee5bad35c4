// Package reference writes docs/librechat.md: a text by hand around the contract
// of LibreChat's environment, which is that of the code.
package reference

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/aproorg/sluice/internal/librechat"
)

//go:generate go run ./gen ../../../docs/librechat.md

//go:embed librechat.md
var text string

// Markdown is the document.
func Markdown() string {
	release := librechat.Release{Dir: librechat.ImageRoot, Version: "v0.8.2", Design: librechat.GeneratesAfterPost}
	return strings.NewReplacer(
		"<!-- contract -->\n", contract(release),
		"<!-- routes -->\n", list(librechat.Routes()),
		"<!-- writable -->\n", list(release.Writable()),
	).Replace(text)
}

func contract(r librechat.Release) string {
	var b strings.Builder
	b.WriteString("| variable | | value | why |\n|---|---|---|---|\n")
	for _, v := range r.Contract() {
		need := string(v.Need)
		if v.Secret && v.Need == librechat.Required {
			need += ", secret"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", v.Name, need, code(v.Value), strings.ReplaceAll(v.Why, "|", `\|`))
	}
	return b.String()
}

func list(items []string) string {
	var b strings.Builder
	for _, item := range items {
		fmt.Fprintf(&b, "- `%s`\n", item)
	}
	return b.String()
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}
