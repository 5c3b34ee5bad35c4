package sandbox

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMemoryController reads and writes the memory controller's interface files.
// They are plain files here: a machine that hands the controller down is rare
// among test machines.
func TestMemoryController(t *testing.T) {
	dir := t.TempDir()
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fd, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	g := &Group{host: &Host{}, limits: Limits{Memory: 64 << 20}, control: control{dir: dir, dirfd: fd}}
	if g.MemoryLimited() {
		t.Error("limited without the controller")
	}
	for _, f := range []string{"memory.max", "memory.oom.group"} { // no swap accounting
		write(f, "")
	}
	write("memory.events", "low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\noom_group_kill 1\n")
	write("memory.stat", "anon 4096\nfile 999999\nkernel 100\nkernel_stack 50\nshmem 1000\n")
	if err := g.limitMemory(); err != nil {
		t.Fatal(err)
	}
	if got := g.get("memory.max") + " " + g.get("memory.oom.group"); got != "67108864 1" {
		t.Errorf("memory.max and memory.oom.group: %q", got)
	}
	if !g.MemoryLimited() || g.Memory() != 4096+100+1000 {
		t.Errorf("limited %v, %d bytes", g.MemoryLimited(), g.Memory())
	}
	if !g.OutOfMemory() {
		t.Error("the kills are not seen")
	}
	g.forget()
	if g.OutOfMemory() {
		t.Error("old kills count")
	}
	write("memory.events", "oom_kill 3\n")
	if !g.OutOfMemory() {
		t.Error("a new kill does not count")
	}
}

func TestField(t *testing.T) {
	const lines = "anon 4096\nanon_thp 7\n"
	for key, want := range map[string]string{"anon": "4096", "anon_thp": "7", "no": "", "": ""} {
		if got := field(lines, key); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}
