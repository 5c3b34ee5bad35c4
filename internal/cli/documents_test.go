package cli_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/cli"
)

var (
	inDocument = regexp.MustCompile("(?m)`sluice ([a-z]+)([^`]*)`|^(?:    |\\$ )?(?:go run \\./cmd/)?sluice ([a-z]+)(.*)$")
	flagOf     = regexp.MustCompile(`--([a-z][a-z-]*)`)
)

// TestDocuments: each command line of sluice in a document names a command and flags that there are.
func TestDocuments(t *testing.T) {
	root := filepath.Join("..", "..")
	lines := 0
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(file) != ".md" {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, found := range inDocument.FindAllStringSubmatch(strings.ReplaceAll(string(text), "\\\n", " "), -1) {
			command, rest := found[1]+found[3], found[2]+found[4]
			lines++
			if !slices.Contains(cli.CommandNames(), command) {
				t.Errorf("%s: there is no command sluice %s", file, command)
				continue
			}
			rest, _, _ = strings.Cut(rest, " #")
			for _, flag := range flagOf.FindAllStringSubmatch(rest, -1) {
				if !hasFlag(t, command, flag[0]) {
					t.Errorf("%s: sluice %s has no flag %s", file, command, flag[0])
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if lines < 100 {
		t.Errorf("%d command lines: what is looked for?", lines)
	}
}

// hasFlag tells whether the help of the command names the flag, of whichever app.
func hasFlag(t *testing.T, command, flag string) bool {
	t.Helper()
	helps, err := filepath.Glob(filepath.Join("testdata", "help", command+"*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, help := range helps {
		text, err := os.ReadFile(help)
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`(?m)^ +(-\w, )?` + flag + `\b(?:[^-]|$)`).Match(text) {
			return true
		}
	}
	return false
}
