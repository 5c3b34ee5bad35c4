package notice

import (
	"bytes"
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestNoticeNamesWhatIsInTheProgram holds the notice to the linker's own list of modules.
func TestNoticeNamesWhatIsInTheProgram(t *testing.T) {
	t.Chdir("../..")
	program := filepath.Join(t.TempDir(), "sluice")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/sluice")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	modules, err := Modules(t.Context(), Program{Package: "./cmd/sluice", OS: runtime.GOOS, Arch: runtime.GOARCH})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := Write(&text, modules); err != nil {
		t.Fatal(err)
	}
	if missing := absent(text.String(), info); len(missing) > 0 {
		t.Errorf("the notice leaves out %s", missing)
	}
	if !strings.Contains(text.String(), "\n  npm:mingo 7.2.7: MIT\n") || !strings.Contains(text.String(), "Francis Asante") {
		t.Error("the notice leaves out mingo, which is bundled")
	}
	if len(info.Deps) < 50 || !strings.Contains(text.String(), "Go standard library "+runtime.Version()) {
		t.Errorf("%d modules, or no Go", len(info.Deps))
	}

	// The comparison must be able to fail.
	text.Reset()
	last := slices.IndexFunc(modules, func(m Module) bool { return strings.HasPrefix(m.Path, "npm:") }) - 1
	if err := Write(&text, slices.Delete(slices.Clone(modules), last, last+1)); err != nil {
		t.Fatal(err)
	}
	if missing := absent(text.String(), info); len(missing) != 1 || missing[0] != modules[last].Path {
		t.Errorf("without %s the comparison says %s", modules[last].Path, missing)
	}
}

func absent(text string, info *buildinfo.BuildInfo) (missing []string) {
	for _, dep := range info.Deps {
		if !strings.Contains(text, "\n  "+dep.Path+" "+dep.Version+": ") {
			missing = append(missing, dep.Path)
		}
	}
	return missing
}

// TestReleased holds the list of programs to the Makefile's.
func TestReleased(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Released() {
		if p.Package == "./cmd/sluice" && !strings.Contains(string(makefile), p.OS+"/"+p.Arch) {
			t.Errorf("no release for %s/%s", p.OS, p.Arch)
		}
	}
	if _, own, _ := strings.Cut(Tags, ","); !strings.Contains(string(makefile), "TAGS = "+own+"\n") {
		t.Errorf("a release has other tags than %s", Tags)
	}
}

func TestRefusals(t *testing.T) {
	const mit = "Permission is hereby granted, free of charge, to any person"
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"none":       {map[string]string{"README.md": mit}, "no file with a licence"},
		"unknown":    {map[string]string{"LICENSE": "All rights reserved."}, "LICENSE is no licence that package notice knows"},
		"GPL":        {map[string]string{"COPYING": "GNU GENERAL PUBLIC LICENSE Version 3"}, "not to be shipped"},
		"GPL inside": {map[string]string{"LICENSE": mit, "third/LICENSE.txt": "GNU Affero General Public License"}, "third/LICENSE.txt: not to be shipped"},
		"notice":     {map[string]string{"NOTICE": "Made by some."}, "no file with a licence"},
		"MIT":        {map[string]string{"LICENCE.md": mit, "NOTICE": "Made by some."}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range test.files {
				file = filepath.Join(dir, file)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			var text bytes.Buffer
			err := Write(&text, []Module{{Path: "a.test/b", Version: "v1.0.0", Dir: dir}})
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), "a.test/b v1.0.0: ") || !strings.Contains(err.Error(), test.want) {
					t.Errorf("error is %v", err)
				}
				return
			}
			if err != nil || !strings.Contains(text.String(), mit) || !strings.Contains(text.String(), "Made by some.") {
				t.Errorf("%v: %s", err, text.String())
			}
		})
	}
}
