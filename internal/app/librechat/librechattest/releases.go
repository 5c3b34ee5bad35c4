package librechattest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
)

// Built are the releases in SLUICE_LIBRECHAT_DIR, directories divided by colons.
// Where there are none, the test is skipped with the command that runs it with some.
func Built(t testing.TB, command string) []facts.Release {
	t.Helper()
	dirs := filepath.SplitList(os.Getenv("SLUICE_LIBRECHAT_DIR"))
	if len(dirs) == 0 {
		t.Skip("needs a built LibreChat: SLUICE_LIBRECHAT_DIR=DIR[:DIR] " + command)
	}
	var all []facts.Release
	for _, dir := range dirs {
		all = append(all, detect(t, dir))
	}
	return all
}

// StandIn is a release of the design that is written to dir.
func StandIn(t testing.TB, dir string, d facts.Design) facts.Release {
	t.Helper()
	if err := Write(dir, d); err != nil {
		t.Fatal(err)
	}
	r := detect(t, dir)
	if r.Design != d {
		t.Fatalf("design of the stand-in is taken for %v, want %v", r.Design, d)
	}
	return r
}

// Today is a release like those of today, which is written to dir.
func Today(t testing.TB, dir string) facts.Release {
	t.Helper()
	if err := write(dir, today); err != nil {
		t.Fatal(err)
	}
	want := today
	want.Dir = dir
	if r := detect(t, dir); r != want {
		t.Fatalf("the stand-in is taken for %+v, want %+v", r, want)
	}
	return want
}

func detect(t testing.TB, dir string) facts.Release {
	t.Helper()
	r, err := facts.Detect(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
