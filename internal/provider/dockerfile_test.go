package provider

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/presets"
	"github.com/aproorg/sluice/internal/bootstrapbin"
	"github.com/aproorg/sluice/internal/image"
)

// instruction is one of a Dockerfile's, of its last stage or of an earlier one.
type instruction struct {
	word, rest string
	last       bool
}

func dockerfile(t *testing.T) []instruction {
	t.Helper()
	text, err := os.ReadFile("../../infrastructure/terraform/modules/backend/docker/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var all []instruction
	joined := strings.ReplaceAll(string(text), "\\\n", " ")
	for line := range strings.Lines(joined) {
		line = strings.Join(strings.Fields(line), " ")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if word == "FROM" {
			for n := range all {
				all[n].last = false
			}
		}
		all = append(all, instruction{word, rest, true})
	}
	return all
}

// The Dockerfile and sluice_image with its defaults make the same of LibreChat.
func TestDockerfileMakesTheSame(t *testing.T) {
	options := defaults(t)
	made := configuration(t, options)
	seen, set := map[string]bool{}, []string{}
	copied := map[string][]byte{}
	for _, have := range dockerfile(t) {
		if !have.last {
			continue
		}
		seen[have.word] = true
		switch have.word {
		case "FROM":
			if have.rest != "$BASE" {
				t.Errorf("FROM %s", have.rest)
			}
		case "ENTRYPOINT":
			compare(t, have, made.Entrypoint)
		case "CMD":
			compare(t, have, made.Cmd)
		case "ARG":
			if have.rest != "RELEASE" {
				t.Errorf("ARG %s", have.rest)
			}
		case "ENV":
			name, value, _ := strings.Cut(have.rest, "=")
			if value == "$RELEASE" { // sluice_image takes a digest
				value = valueOf(made.Env, name)
			}
			set = append(set, name+"="+value)
		case "COPY":
			if have.rest != "--from=bootstrap --chmod=0755 /bootstrap "+image.BootstrapPath {
				path, content := addition(t, have.rest)
				copied[path] = content
			}
		case "RUN":
			if diff := cmp.Diff(facts.ImageLinks(), linked(have.rest)); diff != "" {
				t.Errorf("links: %s", diff)
			}
		default:
			t.Errorf("%s %s: sluice_image does nothing of the kind", have.word, have.rest)
		}
	}
	if len(seen) != 7 {
		t.Errorf("has only %v", seen)
	}
	slices.Sort(set)
	if diff := cmp.Diff(made.Env, set); diff != "" {
		t.Errorf("ENV: %s", diff)
	}
	if diff := cmp.Diff(options.Files, copied); diff != "" {
		t.Errorf("COPY: %s", diff)
	}
}

// valueOf is a variable's value, and never that of one which is not there.
func valueOf(env []string, name string) string {
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok && value != "" {
			return value
		}
	}
	return "no value in the image"
}

// addition reads a COPY of a file of the repository.
func addition(t *testing.T, rest string) (path string, content []byte) {
	t.Helper()
	words := strings.Fields(rest)
	if len(words) != 3 || words[0] != "--chmod=0644" {
		t.Fatalf("COPY %s", rest)
	}
	content, err := os.ReadFile("../../" + words[1])
	if err != nil {
		t.Fatal(err)
	}
	return words[2], content
}

func TestDockerfileCompilesTheSame(t *testing.T) {
	for _, have := range dockerfile(t) {
		if have.word == "RUN" && !have.last {
			flags := strings.ReplaceAll(have.rest, `"`, "")
			if !strings.Contains(flags, "go build "+strings.Join(bootstrapbin.Flags, " ")+" -o /bootstrap ./cmd/bootstrap") || !strings.HasPrefix(flags, "CGO_ENABLED=0 ") {
				t.Errorf("RUN %s", have.rest)
			}
			return
		}
	}
	t.Error("compiles nothing")
}

// defaults are those of sluice_image for a base like LibreChat's.
func defaults(t *testing.T) image.Options {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bootstrap")
	program(t, file, "")
	none := types.MapNull(types.StringType)
	options, err := (&imageResource{session: &session{}}).options(t.Context(), &imageModel{
		Base: types.StringValue(base(t)), Bootstrap: types.StringValue(file), App: types.StringValue(presets.Shipped().Name), Links: linksOf(presets.Shipped()).(types.Map), Environment: none, Labels: none,
	})
	if err != nil {
		t.Fatal(err)
	}
	return options
}

func configuration(t *testing.T, options image.Options) v1.Config {
	t.Helper()
	img, err := image.Compute(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return config.Config
}

func compare(t *testing.T, have instruction, want []string) {
	t.Helper()
	var words []string
	if err := json.Unmarshal([]byte(have.rest), &words); err != nil {
		t.Fatalf("%s %s: %v", have.word, have.rest, err)
	}
	if len(words) == 0 && len(want) == 0 {
		return
	}
	if diff := cmp.Diff(want, words); diff != "" {
		t.Errorf("%s: %s", have.word, diff)
	}
}

// linked reads the loop over the paths.
func linked(run string) map[string]string {
	links := map[string]string{}
	_, rest, _ := strings.Cut(run, "for path in ")
	paths, body, _ := strings.Cut(rest, ";")
	if !strings.Contains(body, `rm -rf "$path" && ln -s "/tmp$path" "$path"`) {
		return nil
	}
	for _, path := range strings.Fields(paths) {
		links[path] = "/tmp" + path
	}
	return links
}
