package bootstrap

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/testdeps"
)

func TestCompileCacheOfOthers(t *testing.T) {
	const tag = "v24.16.0-x64-cf738c9d-"
	own := tag + strconv.Itoa(os.Getuid())
	for name, c := range map[string]struct {
		have []string
		want map[string]string // names for this user, and what they lead to; nil leaves the variable as it is
	}{
		"another's":              {[]string{tag + "4711", "README", "v24.16.0-x64-cf738c9d", "x-1"}, map[string]string{own: tag + "4711"}},
		"the user's own":         {[]string{own}, nil},
		"both":                   {[]string{own, tag + "4711"}, nil},
		"two others'":            {[]string{tag + "4712", tag + "4711"}, map[string]string{own: tag + "4711"}},
		"own and another Node's": {[]string{own, "v22.1.0-arm64-a-7"}, map[string]string{own: own, "v22.1.0-arm64-a-" + strconv.Itoa(os.Getuid()): "v22.1.0-arm64-a-7"}},
		"nothing":                {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			dir := t.TempDir()
			for _, n := range c.have {
				if err := os.Mkdir(filepath.Join(dir, n), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			env, err := withCompileCache([]string{"A=1", compileCache + "=" + dir})
			if err != nil || !slices.Contains(env, "A=1") || len(env) != 2 {
				t.Fatal(env, err)
			}
			value := strings.TrimPrefix(env[1], compileCache+"=")
			if c.want == nil {
				if value != dir {
					t.Errorf("the variable is %s", value)
				}
				return
			}
			got := map[string]string{}
			for _, e := range list(t, value) {
				to, err := os.Readlink(filepath.Join(value, e))
				if err != nil {
					t.Fatal(err)
				}
				got[e] = strings.TrimPrefix(to, dir+"/")
			}
			for n, to := range c.want {
				if got[n] != to || len(got) != len(c.want) {
					t.Errorf("links %v, want %v", got, c.want)
				}
			}
		})
	}
	for _, env := range [][]string{{"A=1"}, {compileCache + "="}, {compileCache + "=/nowhere/at/all"}} {
		if got, err := withCompileCache(env); err != nil || !slices.Equal(got, env) {
			t.Errorf("%v: %v %v", env, got, err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if env, err := withCompileCache([]string{compileCache + "=" + file}); err == nil || len(env) != 1 {
		t.Error(env, err)
	}
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestNodeTakesAnothersCompileCache: what one user's Node has filled is what another user's Node reads.
func TestNodeTakesAnothersCompileCache(t *testing.T) {
	node := testdeps.NewNode(t)
	t.Setenv("TMPDIR", t.TempDir())
	dir, script := t.TempDir(), filepath.Join(t.TempDir(), "app.cjs")
	if err := os.WriteFile(script, []byte("console.log('runs')"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(env ...string) string {
		cmd := exec.Command(node, script)
		cmd.Env = append(os.Environ(), append(env, "NODE_DEBUG_NATIVE=COMPILE_CACHE")...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	run(compileCache + "=" + dir)
	names := list(t, dir)
	if len(names) != 1 || !settings.CompileCacheTag.MatchString(names[0]) {
		t.Fatalf("Node made %v", names)
	}
	tag := settings.CompileCacheTag.FindStringSubmatch(names[0])[1]
	if err := os.Rename(filepath.Join(dir, names[0]), filepath.Join(dir, tag+"4711")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, tag+"4711"), dir} {
		if err := os.Chmod(path, 0o555); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(path, 0o755)
	}
	env, err := withCompileCache([]string{compileCache + "=" + dir})
	if err != nil {
		t.Fatal(err)
	}
	if out := run(env...); !strings.Contains(out, "was accepted") {
		t.Errorf("Node says:\n%s", out)
	}
}
