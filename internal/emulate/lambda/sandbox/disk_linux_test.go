package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestDisk: a /tmp with a size is full when it is, what was written outlives the process, and nothing is left in the end.
func TestDisk(t *testing.T) {
	h := NewHost(nil)
	t.Cleanup(h.Close)
	if !h.Disks() {
		t.Skipf("no disks here (%s): run as root, with mkfs.ext4 and loop devices", strings.Join(h.Missing, "; "))
	}
	before := loopDevices(t)
	tmp := t.TempDir()
	g, err := h.NewGroup("test", tmp, Limits{Disk: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := run(t, g, Spec{Dir: "/tmp", ReadOnly: true, Command: sh(`ls -A; head -c 90m /dev/zero >a; stat -c %s a; rm a; echo x >b`)})
	var fitted int
	if len(got) == 2 {
		fitted, _ = strconv.Atoi(got[1])
	}
	if fitted < 64<<20 || fitted > (64<<20)+diskOverhead || !strings.Contains(got[0], "No space left on device") {
		t.Errorf("%q", got)
	}
	if got, _ := run(t, g, Spec{Dir: "/tmp", ReadOnly: true, Command: sh("ls -A")}); !slices.Equal(got, []string{"b"}) {
		t.Errorf("the next process finds %q", got)
	}
	if seen, _ := filepath.Glob(tmp + "*/*"); len(seen) > 0 {
		t.Errorf("the machine sees %q", seen)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if after := loopDevices(t); !slices.Equal(after, before) {
		t.Errorf("loop devices in use before %q, after %q", before, after)
	}
}

func loopDevices(t *testing.T) []string {
	t.Helper()
	used, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, f := range used {
		if text, err := os.ReadFile(f); err == nil && strings.Contains(string(text), "/Test") { // another test's may come and go
			files = append(files, string(text))
		}
	}
	return files
}
