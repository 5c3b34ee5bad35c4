//go:build !race && linux

package cli_test

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/librechattest"
	"github.com/aproorg/sluice/internal/bootstrapbin"
	"github.com/aproorg/sluice/internal/testkit"
)

// The race detector takes more addresses than the limit leaves: `make bounds` runs
// this file without.

// underLimit runs sluice with less memory than it would take to hold what it is given.
// Go reserves more than 1 GB of addresses at its start, which no memory stands behind.
func underLimit(t *testing.T, want string, environment []string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-c", `ulimit -v 2500000; exec sluice "$@"`, "sh"}, args...)...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CACHE_HOME="+home,
		"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_REGION=eu-west-1", "AWS_MAX_ATTEMPTS=1")
	cmd.Env = append(cmd.Env, environment...)
	out, err := cmd.CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte(want)) || bytes.Contains(out, []byte("out of memory")) {
		t.Errorf("sluice %s: %v, want an error with %q:\n%.3000s", strings.Join(args, " "), err, want, out)
	}
}

// TestNoFileFillsTheMemory gives each command that takes a file one without an end.
func TestNoFileFillsTheMemory(t *testing.T) {
	bootstrap, err := bootstrapbin.Path(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	image := func(base string) []string {
		return []string{"image", "--base", base, "--dry-run", "--bootstrap", bootstrap}
	}
	librechat := t.TempDir()
	librechattest.StandIn(t, librechat, facts.StreamsInPost)
	up := []string{"up", "--app", "librechat", "--librechat", librechat}
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"plan":                 {[]string{"up", "--plan", "/dev/zero"}, "larger than 64 MB"},
		"environment":          {[]string{"up", "--env-file", "/dev/zero"}, "larger than 1 MB"},
		"description":          {[]string{"verify", "http://127.0.0.1:1", "--describe", "/dev/zero"}, "larger than 1 MB"},
		"bootstrap":            {[]string{"image", "--base", "oci:/", "--dry-run", "--bootstrap", "/dev/zero"}, "larger than 64 MB"},
		"certificates":         {[]string{"image", "--base", "oci:/", "--dry-run", "--ca-bundle", "/dev/zero"}, "larger than 4 MB"},
		"a database's":         {append(up, "--mongo", "mongodb://127.0.0.1:1/x?tls=true&tlsCAFile=/dev/zero"), "larger than 4 MB"},
		"librechat.yaml":       {append(up, "--config", "/dev/zero"), "larger than 4 MB"},
		"image that is device": {image("tar:/dev/zero"), "is not a file"},
		"manifest in a tar":    {image("tar:" + savedImage(t)), "larger than 4 MB"},
		"index of a layout":    {image("oci:" + layoutOf(t, 1<<40)), "has 1099511627776 bytes"},
	} {
		t.Run(name, func(t *testing.T) { underLimit(t, test.want, nil, test.args...) })
	}
}

// layoutOf is an OCI layout with an index of a size.
func layoutOf(t *testing.T, size int64) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	index := filepath.Join(dir, "index.json")
	if err := os.WriteFile(index, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(index, size); err != nil {
		t.Fatal(err)
	}
	return dir
}

// savedImage is the output of docker save with a manifest of 8 GB, a hole for the most part.
func savedImage(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "saved.tar")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := tar.NewWriter(file).WriteHeader(&tar.Header{Name: "manifest.json", Mode: 0o600, Size: 4 << 30}); err != nil {
		t.Fatal(err)
	}
	if err := file.Truncate(5 << 30); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestNoAnswerFillsTheMemory brings commands before servers whose answers have no end.
func TestNoAnswerFillsTheMemory(t *testing.T) {
	ok, failed := "HTTP/1.1 200 OK\r\n", "HTTP/1.1 400 Bad Request\r\n"
	manifest := "Content-Type: application/vnd.oci.image.manifest.v1+json\r\nDocker-Content-Digest: sha256:" + strings.Repeat("0", 64) + "\r\n"
	bootstrap, err := bootstrapbin.Path(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fromRegistry := []string{"image", "--base", "ADDRESS/app:1", "--dry-run", "--bootstrap", bootstrap}
	fromBucket := []string{"site", "--bucket", "b", "--rollback", "previous"}
	for name, test := range map[string]struct {
		args        []string
		head, piece string
		want        string
	}{
		"manifest":         {fromRegistry, ok + manifest + "\r\n", " ", "longer than 4194304 bytes"},
		"registry's error": {fromRegistry, failed + "\r\n", "x", "body exceeds 65536 byte limit"},
		"registry's head":  {fromRegistry, ok, "A: b\r\n", "error"},
		"object":           {fromBucket, ok + "\r\n", "x", "too large"},
		"S3's error":       {fromBucket, failed + "\r\n<Error><Code>", "x", "too large"},
		"S3's head":        {fromBucket, ok, "A: b\r\n", "error"},
		"site":             {[]string{"verify", "http://ADDRESS", "--app", "demo", "--timeout", "3s"}, ok + "Content-Type: text/html\r\n\r\n", "<p>", "failed"},
		"site's events":    {[]string{"verify", "http://ADDRESS", "--app", "demo", "--timeout", "3s"}, ok + "Content-Type: text/event-stream\r\n\r\n", "data: x\n\n", "failed"},
		"site's head":      {[]string{"verify", "http://ADDRESS", "--app", "demo", "--timeout", "3s"}, ok, "A: b\r\n", "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // the registry's client tries again, after seconds
			address := testkit.Endless(t, test.head, test.piece).String()
			var args []string
			for _, arg := range test.args {
				args = append(args, strings.ReplaceAll(arg, "ADDRESS", address))
			}
			underLimit(t, test.want, []string{"AWS_ENDPOINT_URL=http://" + address}, args...)
		})
	}
}
