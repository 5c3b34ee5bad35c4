package image

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/aproorg/sluice/internal/image/registry"
	"github.com/aproorg/sluice/internal/image/rootfs"
	"github.com/aproorg/sluice/internal/image/source"
)

// The digests are written down: whoever runs this, wherever and whenever, gets
// these bytes. A new Go version may compress otherwise; then, and only then,
// new digests go in here.
func TestGoldenDigests(t *testing.T) {
	for _, test := range []struct {
		name string
		kind types.MediaType
		want string
	}{
		{"docker", types.DockerManifestSchema2, "sha256:c2597d16689d9f9a6cb4be462db347d305c1eff9cbf2d33838dd1920f11ad134"},
		{"oci", types.OCIManifestSchema1, "sha256:270dea01e3e1f59ea07d23a048774174d26735302c5a717829dad45bf5c2278b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			img, err := Compute(t.Context(), options(stored(t, app(t, test.kind, "amd64"))))
			if err != nil {
				t.Fatal(err)
			}
			if img.digest.String() != test.want {
				t.Errorf("digest %s, want %s", img.digest, test.want)
			}
			if err := validate.Image(img); err != nil {
				t.Error(err)
			}
			mediaType, err := img.MediaType()
			if err != nil || mediaType != test.kind {
				t.Errorf("media type %s, %v", mediaType, err)
			}
		})
	}
}

func TestConfiguration(t *testing.T) {
	img, err := Compute(t.Context(), options(stored(t, app(t, types.OCIManifestSchema1, "amd64"))))
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := v1.Config{
		Entrypoint: []string{BootstrapPath, "--", "docker-entrypoint.sh", "node", "index.js"},
		WorkingDir: "/app/api",
		Env:        []string{"PATH=/bin", "LD_PRELOAD=", "NODE_ENV=production", "SLUICE_WRITABLE=/app/api/logs,/app/uploads"},
		Labels:     map[string]string{"app": "chat", "vendor": "somebody", labelBase: img.Base.String()},
	}
	if diff := cmp.Diff(want, config.Config); diff != "" {
		t.Error(diff)
	}
	if len(config.History) != 4 {
		t.Errorf("%d history entries for 4 layers", len(config.History))
	}
}

// The release differs as soon as anything of the image does, and only then; what the
// caller gives it stays.
func TestReleaseVariable(t *testing.T) {
	ref := stored(t, app(t, types.OCIManifestSchema1, "amd64"))
	release := func(change func(*Options)) string {
		o := options(ref)
		o.ReleaseVariable = "RELEASE"
		change(&o)
		img, err := Compute(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		result, err := img.Describe()
		if err != nil {
			t.Fatal(err)
		}
		value := result.Environment["RELEASE"]
		if !slices.Contains(config.Config.Env, "RELEASE="+value) {
			t.Errorf("the image has %q, not RELEASE=%s", config.Config.Env, value)
		}
		return value
	}
	first := release(func(*Options) {})
	if again := release(func(*Options) {}); again != first || !regexp.MustCompile(`^[0-9a-f]{12}$`).MatchString(first) {
		t.Errorf("the same image is %q and %q", first, again)
	}
	for part, change := range map[string]func(*Options){
		"bootstrap": func(o *Options) { o.Bootstrap = append(o.Bootstrap, 0) },
		"base":      func(o *Options) { o.Base = stored(t, app(t, types.DockerManifestSchema2, "amd64")) },
		"a link":    func(o *Options) { o.Links = o.Links[1:] },
		"a file":    func(o *Options) { o.Files["/opt/sluice/rules.json"] = []byte("[ ]") },
		"variables": func(o *Options) { o.Env["NODE_ENV"] = "test" },
		"a label":   func(o *Options) { o.Labels["app"] = "other" },
	} {
		if got := release(change); got == first {
			t.Errorf("with another %s it is still %s", part, got)
		}
	}
	if got := release(func(o *Options) { o.Env["RELEASE"] = "mine" }); got != "mine" {
		t.Errorf("the caller's own became %s", got)
	}
}

// Lambda refuses a layer whose files come without their directories.
func TestAddedLayersListParentsFirst(t *testing.T) {
	img, err := Compute(t.Context(), options(stored(t, app(t, types.DockerManifestSchema2, "amd64"))))
	if err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"app/", "app/api/", "app/api/logs -> /tmp/app/logs", "app/uploads -> /tmp/app/uploads", "opt/", "opt/sluice/", "opt/sluice/more.mjs", "opt/sluice/rules.json"},
		{"opt/", "opt/sluice/", "opt/sluice/bootstrap"},
	}
	for n, layer := range layers[2:] {
		if diff := cmp.Diff(want[n], list(t, layer)); diff != "" {
			t.Errorf("layer %d: %s", n, diff)
		}
	}
}

func list(t *testing.T, layer v1.Layer) (names []string) {
	content, err := layer.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	for archive := tar.NewReader(content); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		entry := header.Name
		if header.Linkname != "" {
			entry += " -> " + header.Linkname
		}
		names = append(names, entry)
	}
}

// The same base by any road is the same image.
func TestRoadOfTheBaseDoesNotMatter(t *testing.T) {
	base := app(t, types.DockerManifestSchema2, "amd64")
	byLayout := stored(t, base)
	host := newRegistry(t)
	tag, err := name.NewTag(host + "/base:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, base); err != nil {
		t.Fatal(err)
	}
	digest, err := base.Digest()
	if err != nil {
		t.Fatal(err)
	}
	saved := filepath.Join(t.TempDir(), "base.tar")
	if err := tarball.WriteToFile(saved, tag, base); err != nil {
		t.Fatal(err)
	}
	var first string
	for _, road := range []string{byLayout, byLayout + "@" + digest.String(), tag.String(), host + "/base@" + digest.String(), "tar:" + saved} {
		img, err := Compute(t.Context(), options(road))
		if err != nil {
			t.Fatalf("%s: %v", road, err)
		}
		if first == "" {
			first = img.digest.String()
		}
		if img.digest.String() != first {
			t.Errorf("%s: digest %s, want %s", road, img.digest, first)
		}
	}
}

func TestBuildToARegistryAndAgain(t *testing.T) {
	o := options(stored(t, app(t, types.DockerManifestSchema2, "amd64")))
	o.To = newRegistry(t) + "/app"
	o.DryRun = true
	planned, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	o.DryRun = false
	first, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if planned.Digest != first.Digest || planned.Missing == 0 || planned.Sent != 0 {
		t.Errorf("planned %+v, made %+v", planned, first)
	}
	if first.Unchanged || first.Sent < planned.Missing {
		t.Errorf("first push: %+v", first)
	}
	again, err := Build(t.Context(), o)
	if err != nil || !again.Unchanged || again.Sent != 0 || again.Reference != first.Reference {
		t.Errorf("second push: %+v, %v", again, err)
	}
	pulled, err := source.Open(t.Context(), first.Reference, "amd64", registry.Access{})
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(pulled); err != nil {
		t.Error(err)
	}
	if !strings.Contains(first.Tag, ":sluice-") {
		t.Errorf("tag %s", first.Tag)
	}
}

// Where the base lies in the same registry, its layers are not sent at all.
func TestBaseLayersAreMounted(t *testing.T) {
	host := newRegistry(t)
	tag, err := name.NewTag(host + "/base:v1")
	if err != nil {
		t.Fatal(err)
	}
	base := app(t, types.DockerManifestSchema2, "amd64")
	if err := remote.Write(tag, base); err != nil {
		t.Fatal(err)
	}
	o := options(tag.String())
	o.To = host + "/app:v1"
	result, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := base.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	want := manifest.Layers[0].Size + manifest.Layers[1].Size
	if result.Mounted+result.Present != want {
		t.Errorf("mounted %d and found %d bytes, want %d together", result.Mounted, result.Present, want)
	}
	if result.Sent > 4000 {
		t.Errorf("sent %d bytes", result.Sent)
	}
}

func TestNewBootstrapSendsItsLayerAlone(t *testing.T) {
	big := app(t, types.OCIManifestSchema1, "amd64",
		layer(t, types.OCILayer, dir("app"), dir("app/api"), file("app/api/index.js", 3<<20), dir("app/client"),
			dir("app/client/dist"), file("app/client/dist/index.html", 20)))
	o := options(stored(t, big))
	o.To = newRegistry(t) + "/app:v1"
	if _, err := Build(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	o.Bootstrap = append(o.Bootstrap, "a later build"...)
	result, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	own := result.Layers[len(result.Layers)-1].Size
	if result.Sent > own+4000 || result.Sent <= own {
		t.Errorf("sent %d bytes for a layer of %d", result.Sent, own)
	}
}

func TestBuildToALayoutAndAgain(t *testing.T) {
	o := options(stored(t, app(t, types.OCIManifestSchema1, "amd64")))
	dir := filepath.Join(t.TempDir(), "out")
	o.To = "oci:" + dir
	first, err := Build(t.Context(), o)
	if err != nil || first.Unchanged {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := Build(t.Context(), o)
	if err != nil || !again.Unchanged {
		t.Errorf("second time: %+v, %v", again, err)
	}
	written, err := source.Open(t.Context(), first.Reference, "amd64", registry.Access{})
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(written); err != nil {
		t.Error(err)
	}
}

func TestChecksOfTheBaseAreRememberedByDigest(t *testing.T) {
	o := options(stored(t, app(t, types.OCIManifestSchema1, "amd64")))
	o.CacheDir, o.To = t.TempDir(), "oci:"+filepath.Join(t.TempDir(), "one")
	var steps []string
	o.Progress = func(e Event) { steps = append(steps, e.Step) }
	if _, err := Build(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(steps, " "), "check") {
		t.Fatalf("steps %v", steps)
	}
	steps, o.To = nil, "oci:"+filepath.Join(t.TempDir(), "two")
	if _, err := Build(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(strings.Join(steps, " "), "check") {
		t.Errorf("read the layers again: %v", steps)
	}
}

func TestDamagedLayerIsNoticed(t *testing.T) {
	base := stored(t, app(t, types.OCIManifestSchema1, "amd64"))
	img, err := source.Open(t.Context(), base, "amd64", registry.Access{})
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	blob := filepath.Join(strings.TrimPrefix(base, "oci:"), "blobs", "sha256", manifest.Layers[0].Digest.Hex)
	content, err := os.ReadFile(blob)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)-1] ^= 1 // gzip's own length field
	if err := os.WriteFile(blob, content, 0o644); err != nil {
		t.Fatal(err)
	}
	o := options(base)
	o.To = newRegistry(t) + "/app:v1"
	if _, err := Build(t.Context(), o); err == nil {
		t.Error("a damaged layer was pushed")
	}
	if _, err := rootfs.Unpack(t.Context(), img, filepath.Join(t.TempDir(), "root")); err == nil {
		t.Error("a damaged layer was unpacked")
	}
}

func TestDamagedManifestIsNoticed(t *testing.T) {
	base := stored(t, app(t, types.OCIManifestSchema1, "amd64"))
	img, err := source.Open(t.Context(), base, "amd64", registry.Access{})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(strings.TrimPrefix(base, "oci:"), "blobs", "sha256", digest.Hex)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(content, ' '), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := source.Open(t.Context(), base, "amd64", registry.Access{}); !errors.Is(err, source.ErrDigest) {
		t.Errorf("got %v", err)
	}
}
