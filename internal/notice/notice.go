// Package notice writes the notice that a released sluice owes to the authors of what is in it: each Go module of the
// two programs, and each npm package that is bundled into one of Sluice's own, with its version and the texts of its
// licences. A module without a licence that is known here and may be shipped is an error.
//
// It leaves out the other pages, scripts and Terraform files inside sluice, which are Sluice's own. It is no legal
// advice.
package notice

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/aproorg/sluice/internal/bounded"
)

// Program is one that is shipped: its package, and the build in which it is.
type Program struct {
	Package, OS, Arch string
	Tags              string // with commas between them
}

// Module is part of a program.
type Module struct {
	Path, Version string
	Dir           string // with its source
}

// Modules lists what is in any of the programs, the Go standard library first, which also stands for Go's runtime.
func Modules(ctx context.Context, programs ...Program) ([]Module, error) {
	found := map[string]Module{}
	for _, p := range programs {
		cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-tags="+p.Tags, "-json=Dir,Module", p.Package)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.OS, "GOARCH="+p.Arch)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("list the modules of %s for %s/%s: %w", p.Package, p.OS, p.Arch, err)
		}
		if err := collect(found, out); err != nil {
			return nil, fmt.Errorf("read the modules of %s: %w", p.Package, err)
		}
	}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("find Go's own sources: %w", err)
	}
	all := []Module{{Path: standardLibrary, Version: runtime.Version(), Dir: strings.TrimSpace(string(root))}}
	modules := make([]Module, 0, len(found))
	for _, m := range found {
		modules = append(modules, m)
	}
	slices.SortFunc(modules, func(a, b Module) int { return cmp.Compare(a.Path, b.Path) })
	return append(all, modules...), nil
}

func collect(found map[string]Module, list []byte) error {
	for dec := json.NewDecoder(strings.NewReader(string(list))); ; {
		var pkg struct {
			Dir    string
			Module *struct {
				Path, Version, Dir string
				Main               bool
				Replace            *struct{ Path, Version, Dir string }
			}
		}
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		switch m := pkg.Module; {
		case m == nil:
		case m.Main:
			if err := bundled(found, pkg.Dir); err != nil {
				return err
			}
		case m.Replace != nil:
			found[m.Path] = Module{Path: m.Path, Version: cmp.Or(m.Replace.Version, m.Version), Dir: m.Replace.Dir}
		default:
			found[m.Path] = Module{Path: m.Path, Version: m.Version, Dir: m.Dir}
		}
	}
}

// bundled finds npm packages that are bundled into one of Sluice's own: each has its licence in licence/NAME@VERSION there.
func bundled(found map[string]Module, dir string) error {
	entries, err := os.ReadDir(filepath.Join(dir, "licence"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		if name, version, ok := strings.Cut(entry.Name(), "@"); ok {
			found["npm:"+name] = Module{Path: "npm:" + name, Version: version, Dir: filepath.Join(dir, "licence", entry.Name())}
		}
	}
	return err
}

// licence is a text that some modules share.
type licence struct {
	kind, text string
	of         []string // MODULE VERSION, and where the text is not at the module's top its file
}

// Write writes the notice: the list of modules, then each text once with those that it is of.
func Write(w io.Writer, modules []Module) error {
	var texts []*licence
	byText := map[string]*licence{}
	var list strings.Builder
	for _, m := range modules {
		own, err := licences(m)
		if err != nil {
			return fmt.Errorf("%s %s: %w", m.Path, m.Version, err)
		}
		var kinds []string
		for _, l := range own {
			known := byText[l.text]
			if known == nil {
				known = &licence{kind: l.kind, text: l.text}
				byText[l.text], texts = known, append(texts, known)
			}
			known.of = append(known.of, l.of...)
			if !slices.Contains(kinds, l.kind) {
				kinds = append(kinds, l.kind)
			}
		}
		fmt.Fprintf(&list, "  %s %s: %s\n", m.Path, m.Version, strings.Join(kinds, ", "))
	}
	if _, err := fmt.Fprintf(w, heading, len(modules), list.String()); err != nil {
		return err
	}
	for _, l := range texts {
		if _, err := fmt.Fprintf(w, "\n%s\n%s of\n  %s\n%s\n\n%s\n", line, l.kind, strings.Join(l.of, "\n  "), line, strings.TrimSpace(l.text)); err != nil {
			return err
		}
	}
	return nil
}

const line = "================================================================================"

const heading = `Sluice contains software of others: %d modules, those of Go unaltered. Each stands here
with its version and its licences, whose texts follow. The source of a Go module, which
the Mozilla Public License (MPL-2.0) asks to name, is what this command fetches:

  go mod download -json MODULE@VERSION

What begins with npm: is a package of npm, bundled with small changes, which Sluice's
source lists.

%s`

// maxText bounds one file of a licence.
const maxText = 1 << 20

// names are those that files with licences and notices have.
var names = regexp.MustCompile(`(?i)^(un)?(licen[sc]e|copying|copyright|notice|patents)([-_.].*)?$`)

// program is source code that has such a name by chance.
var program = regexp.MustCompile(`(?i)\.(go|s|c|h|py|js|sh|json|ya?ml|tmpl|tpl|html|hcl)$`)

// standardLibrary is the one module that has no path.
const standardLibrary = "Go standard library"

// licences reads those at a module's top, where at least one must be known, and those beside code of others in it.
func licences(m Module) ([]licence, error) {
	if m.Dir == "" {
		return nil, errors.New("its source is not here: go mod download")
	}
	var found []licence
	atTop := false
	err := filepath.WalkDir(m.Dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(m.Dir, file)
		name = filepath.ToSlash(name)
		if entry.IsDir() {
			// Of Go itself only the top, whose licence is that of the library and the runtime.
			if skipped := entry.Name() == "testdata" || entry.Name() == "node_modules" || m.Path == standardLibrary; skipped && name != "." {
				return filepath.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || !names.MatchString(entry.Name()) || program.MatchString(entry.Name()) {
			return nil
		}
		text, err := bounded.ReadFile(file, maxText)
		if err != nil {
			return err
		}
		kind := Kind(string(text))
		switch {
		case kind == "" && isNotice(entry.Name()):
			kind = "notice"
		case kind == "" && path.Dir(name) == ".":
			return fmt.Errorf("%s is no licence that package notice knows", name)
		case kind == "":
			return nil
		case strings.HasPrefix(kind, refused):
			return fmt.Errorf("%s: %s", name, kind)
		}
		of := m.Path + " " + m.Version
		if path.Dir(name) == "." {
			atTop = atTop || kind != "notice"
		} else {
			of += ", " + name
		}
		found = append(found, licence{kind, strings.ReplaceAll(string(text), "\r\n", "\n"), []string{of}})
		return nil
	})
	if err == nil && !atTop {
		err = errors.New("it has no file with a licence")
	}
	return found, err
}

func isNotice(name string) bool {
	name = strings.ToLower(name)
	return !strings.HasPrefix(name, "licen") && !strings.HasPrefix(name, "unlicen")
}

const refused = "not to be shipped: "

// Kind is the SPDX identifier of a licence's text, empty for none that is known here.
func Kind(text string) string {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	has := func(all ...string) bool {
		return !slices.ContainsFunc(all, func(s string) bool { return !strings.Contains(text, s) })
	}
	switch {
	case has("mozilla public license", "version 2.0"):
		return "MPL-2.0" // before GPL, which it names
	case has("gnu", "general public license"), has("server side public license"), has("business source license"), has("commons clause"):
		return refused + "its licence asks for more than a notice"
	case has("apache license", "version 2.0"):
		return "Apache-2.0"
	case has("redistribution and use in source and binary forms", "neither the name"), has("redistribution and use in source and binary forms", "names of its contributors may not"):
		return "BSD-3-Clause"
	case has("redistribution and use in source and binary forms"):
		return "BSD-2-Clause"
	case has("permission is hereby granted, free of charge"):
		return "MIT"
	case has("permission to use, copy, modify, and", "distribute this software"):
		return "ISC"
	case has("unencumbered software released into the public domain"):
		return "Unlicense"
	case has("creative commons attribution-sharealike 4.0"):
		return "CC-BY-SA-4.0" // of a module's documents, which are not shipped
	case has("cc0 1.0 universal"):
		return "CC0-1.0"
	}
	return ""
}
