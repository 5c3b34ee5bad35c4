package ui

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func none(string) string { return "" }

// screen is a Terminal that believes to have a screen.
func screen(out *bytes.Buffer, width int) *Terminal {
	return &Terminal{out: out, colour: true, width: func() int { return width }}
}

func TestPipeGetsPlainLines(t *testing.T) {
	var out bytes.Buffer
	terminal := NewTerminal(&out, none)
	terminal.Status("1 of 3")
	terminal.Line(terminal.Paint(Red, "first"))
	terminal.Status("")
	terminal.Line("second")
	if diff := cmp.Diff("first\nsecond\n", out.String()); diff != "" || terminal.Interactive() {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

func TestFileIsNoTerminal(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if NewTerminal(file, none).Interactive() {
		t.Error("a file was taken for a terminal")
	}
}

func TestStatusStaysBelowTheLines(t *testing.T) {
	var out bytes.Buffer
	terminal := screen(&out, 20)
	terminal.Status("working on it")
	terminal.Line("a line")
	terminal.Status("")
	want := "working on it" + "\r\x1b[Ka line\nworking on it" + "\r\x1b[K"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

func TestStatusFitsTheScreen(t *testing.T) {
	var out bytes.Buffer
	terminal := screen(&out, 10)
	terminal.Status(terminal.Paint(Green, strings.Repeat("x", 50)))
	if got := strings.Count(out.String(), "x"); got != 9 {
		t.Errorf("%d characters on a screen of 10", got)
	}
	if !strings.HasSuffix(out.String(), reset) {
		t.Errorf("the colour goes on behind %q", out.String())
	}
}

func TestStatusIsNotRedrawnTooOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		terminal := screen(&out, 80)
		for i := range 1000 {
			terminal.Status("busy " + strconv.Itoa(i))
		}
		time.Sleep(pause + time.Millisecond) // of the bubble's clock: the next drawing is due
		synctest.Wait()
		if want := "busy 0\r\x1b[Kbusy 999"; out.String() != want {
			t.Errorf("drawn %q, want %q", out.String(), want)
		}
		terminal.Status("more")
		terminal.Status("most")
		terminal.Status("")
		time.Sleep(time.Second) // of the bubble's clock: no drawing is due
		if !strings.HasSuffix(out.String(), "\r\x1b[K") {
			t.Errorf("a status came back: %q", out.String())
		}
	})
}

func TestClean(t *testing.T) {
	if got := Clean("a\x1b[2Jb\tc\r\n\u202ed\u009b"); got != "a[2Jb cd" {
		t.Errorf("Clean: %q", got)
	}
}

func FuzzCleanLeavesNoControl(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b]0;title\x07\u009b31m")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range Clean(s) {
			if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
				t.Errorf("%q keeps %U", s, r)
			}
		}
	})
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	if err := Table(&out, [][]string{{"env-1", "busy", "x"}, {"env-10", "–", ""}}); err != nil {
		t.Fatal(err)
	}
	want := "env-1   busy  x\nenv-10  –\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDurationAndBytes(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{Duration(340 * time.Microsecond), "340 µs"}, {Duration(2500 * time.Microsecond), "2.5 ms"},
		{Duration(812 * time.Millisecond), "812 ms"}, {Duration(4217 * time.Millisecond), "4.22 s"},
		{Duration(95 * time.Second), "1m35s"}, {Bytes(12), "12 B"}, {Bytes(3456), "3.5 kB"}, {Bytes(20_971_520), "21.0 MB"},
	} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
}

func TestJSONIsOneLineEach(t *testing.T) {
	var out bytes.Buffer
	j := NewJSON(&out)
	for range 2 {
		if err := j.Write(map[string]string{"path": "/a?b&c\n"}); err != nil {
			t.Fatal(err)
		}
	}
	want := strings.Repeat(`{"path":"/a?b&c\n"}`+"\n", 2)
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
