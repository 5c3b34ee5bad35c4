package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Each is a clear error, and the destination stays as it was.
func TestBadBase(t *testing.T) {
	oci := types.OCIManifestSchema1
	plain := func(t *testing.T) string { return stored(t, app(t, oci, "amd64")) }
	for _, test := range []struct {
		name   string
		base   func(*testing.T) string
		change func(*Options)
		want   string
	}{
		{"none", func(*testing.T) string { return "" }, nil, "no base image"},
		{"no such layout", func(t *testing.T) string { return "oci:" + t.TempDir() }, nil, "OCI layout"},
		{"no such tarball", func(*testing.T) string { return "tar:absent.tar" }, nil, "absent.tar"},
		{"no reference", func(*testing.T) string { return "UPPER CASE" }, nil, "UPPER CASE"},
		{"other architecture", func(t *testing.T) string { return stored(t, app(t, oci, "arm64")) }, nil, "no image for linux/amd64, only for linux/arm64"},
		{"two of ours", func(t *testing.T) string {
			return stored(t, app(t, oci, "amd64"), app(t, oci, "amd64", layer(t, types.OCILayer, dir("x"))))
		}, nil, "2 images for linux/amd64"},
		{"empty index", func(t *testing.T) string { return stored(t) }, nil, "holds no image"},
		{"unknown digest", func(t *testing.T) string { return plain(t) + "@sha256:" + strings.Repeat("0", 64) }, nil, "holds no image sha256:000"},
		{"zstd", func(t *testing.T) string {
			return stored(t, app(t, oci, "amd64", layer(t, types.OCILayerZStd, dir("x"))))
		}, nil, "zstd"},
		{"uncompressed Docker layer", func(t *testing.T) string {
			return stored(t, app(t, oci, "amd64", layer(t, types.DockerUncompressedLayer, dir("x"))))
		}, nil, "gzip"},
		{"file without its directories", func(t *testing.T) string { // aws/aws-lambda-web-adapter#236
			return stored(t, app(t, oci, "amd64", layer(t, types.OCILayer, dir("app"), dir("app/api"), file("app/api/index.js", 1)),
				layer(t, types.OCILayer, dir("opt"), file("opt/extensions/lambda-adapter", 1))))
		}, nil, "layer 2 of 2: /opt/extensions/lambda-adapter comes without an entry for its directory"},
		{"directories after the file", func(t *testing.T) string { // nlewo/nix2container#54
			return stored(t, app(t, oci, "amd64", layer(t, types.OCILayer, file("app/api/index.js", 1), dir("app"), dir("app/api"))))
		}, nil, "layer 1 of 1: /app/api/index.js comes without"},
		{"schema 1", func(t *testing.T) string {
			return "oci:" + layoutOf(t, `{"mediaType":"application/vnd.docker.distribution.manifest.v1+prettyjws","size":2,"digest":"sha256:`+strings.Repeat("0", 64)+`"}`)
		}, nil, "schema 1"},
		{"nothing to start", func(t *testing.T) string { return stored(t, without(t, app(t, oci, "amd64"))) }, nil, "starts nothing"},
		{"expected path missing", plain, func(o *Options) { o.Expect = []string{"/app/none.js"} }, "has no /app/none.js"},
		{"expected path removed by a layer", func(t *testing.T) string {
			return stored(t, app(t, oci, "amd64",
				layer(t, types.OCILayer, dir("app"), dir("app/api"), file("app/api/index.js", 1)),
				layer(t, types.OCILayer, dir("app"), dir("app/api"), file("app/api/.wh.index.js", 0))))
		}, func(o *Options) { o.Expect = []string{"/app/api/index.js"} }, "has no /app/api/index.js"},
		{"link below a link of the base", func(t *testing.T) string {
			return stored(t, app(t, oci, "amd64", layer(t, types.OCILayer, link("app", "srv"))))
		}, func(o *Options) { o.Expect, o.Links = nil, []Link{{"/app/logs", "/tmp/logs"}} }, "/app is no directory"},
		{"twice ours", func(t *testing.T) string {
			o := options(plain(t))
			o.To = "oci:" + filepath.Join(t.TempDir(), "out")
			if _, err := Build(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			return o.To
		}, nil, "holds the bootstrap already"},
		{"file elsewhere", plain, func(o *Options) { o.Files = map[string][]byte{"/etc/passwd": nil} }, "/etc/passwd"},
		{"file in a bootstrap's place", plain, func(o *Options) { o.Files = map[string][]byte{BootstrapPath: nil} }, BootstrapPath},
		{"file above", plain, func(o *Options) { o.Files = map[string][]byte{Directory + "/../x": nil} }, "/../x"},
		{"bootstrap for another machine", plain, func(o *Options) { o.Bootstrap = program("arm64") }, "EM_AARCH64"},
		{"bootstrap is a script", plain, func(o *Options) { o.Bootstrap = []byte("#!/bin/sh") }, "no Linux executable"},
		{"no bootstrap", plain, func(o *Options) { o.Bootstrap = nil }, "no bootstrap"},
		{"unknown architecture", plain, func(o *Options) { o.Arch = "riscv64" }, "riscv64"},
		{"CA bundle of nothing", plain, func(o *Options) { o.CABundle = []byte("hello") }, "no PEM certificate"},
		{"CA bundle with a key", plain, func(o *Options) {
			o.CABundle = []byte("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n")
		}, "certificates only"},
		{"relative link", plain, func(o *Options) { o.Links = []Link{{"app/logs", "/tmp/logs"}} }, `"app/logs"`},
		{"link climbs", plain, func(o *Options) { o.Links = []Link{{"/app/../logs", "/tmp/logs"}} }, "clean absolute path"},
		{"link twice", plain, func(o *Options) { o.Links = []Link{{"/app/a", "/tmp/a"}, {"/app/a", "/tmp/b"}} }, "given twice"},
		{"link in a link", plain, func(o *Options) { o.Links = []Link{{"/app/a", "/tmp/a"}, {"/app/a/b", "/tmp/b"}} }, "lies below"},
		{"link over the bootstrap", plain, func(o *Options) { o.Links = []Link{{"/opt/sluice", "/tmp/a"}} }, "Sluice's own"},
		{"destination by digest", plain, func(o *Options) { o.To = "localhost/x@sha256:" + strings.Repeat("0", 64) }, "cannot be chosen"},
		{"destination full of other things", plain, func(o *Options) { o.To = o.Base + "/blobs" }, "no OCI layout"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := options(test.base(t))
			if o.To = "oci:" + filepath.Join(t.TempDir(), "out"); test.change != nil {
				test.change(&o)
			}
			_, err := Build(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if found, err := filepath.Glob(strings.TrimPrefix(o.To, "oci:") + "/index.json"); err != nil || len(found) > 0 {
				t.Errorf("wrote %v, %v", found, err)
			}
		})
	}
}

// layoutOf is a layout whose index lists a descriptor and that has nothing else.
func layoutOf(t *testing.T, descriptor string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"oci-layout": `{"imageLayoutVersion":"1.0.0"}`, "index.json": `{"schemaVersion":2,"manifests":[` + descriptor + `]}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestLayersAtTheDestinationAreNotReadAgain: a base whose layers are there, as in a CI job without a cache, costs no download.
func TestLayersAtTheDestinationAreNotReadAgain(t *testing.T) {
	o := options(stored(t, app(t, types.OCIManifestSchema1, "amd64")))
	o.To, o.Expect, o.Links = "oci:"+filepath.Join(t.TempDir(), "out"), nil, nil
	read := 0
	o.Progress = func(e Event) {
		if e.Step == "check" {
			read++
		}
	}
	if _, err := Build(t.Context(), o); err != nil || read != 2 {
		t.Fatalf("%d layers were read, %v", read, err)
	}
	o.Bootstrap = append(o.Bootstrap, 0)
	if _, err := Build(t.Context(), o); err != nil || read != 2 {
		t.Errorf("%d layers were read, %v", read, err)
	}
}

func without(t *testing.T, img v1.Image) v1.Image {
	img, err := mutate.Config(img, v1.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return img
}
