package settings

import (
	"strconv"
	"strings"
	"testing"
)

func TestByteSize(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "7": 7, "7B": 7, "200MB": 200_000_000, "1GiB": 1 << 30, "3KB": 3000, "3KiB": 3072} {
		if got, err := byteSize(text); err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MB", "-1", "1.5MB", "1 MB", "1mb", "1Mi", "9223372036854775808", "9223372037GB", "1BB", "0x10"} {
		if got, err := byteSize(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}

// FuzzByteSize: what is read is its digits times its unit, and no less.
func FuzzByteSize(f *testing.F) {
	for _, seed := range []string{"", "0", "200MB", "1GiB", "9223372036854775807", "9223372036GB", "-5", "+5", "1e3", "iB"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := byteSize(text)
		if err != nil {
			return
		}
		digits := strings.TrimRight(text, "KMGiB")
		if d, err := strconv.ParseInt(digits, 10, 64); err != nil || n < d || n != 0 && n%d != 0 || n/max(d, 1) != units[text[len(digits):]] && n != 0 {
			t.Errorf("%q is read as %d", text, n)
		}
		if again, err := byteSize(strconv.FormatInt(n, 10)); err != nil || again != n {
			t.Errorf("%d is read again as %d, %v", n, again, err)
		}
	})
}
