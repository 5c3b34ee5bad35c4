package uploads

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func key(t testing.TB, secret string) Key {
	t.Helper()
	k, err := NewKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestTicket(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	made := Ticket{Method: "POST", URI: "/api/files?a=1", Type: "text/plain", Size: 7, Object: "staging/x", Upload: "id", Expires: now.Unix() + 1, User: "ann"}
	k := key(t, "secret")
	text, err := k.Seal(made)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.open(text, now); err != nil || got != made {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := k.open(text, now.Add(time.Second)); !errors.Is(err, errExpired) {
		t.Errorf("at its expiry: %v", err)
	}
	if _, err := key(t, "other").open(text, now); !errors.Is(err, errForged) {
		t.Errorf("by another key: %v", err)
	}
	for i := range text {
		altered := text[:i] + string(text[i]^1) + text[i+1:]
		if _, err := k.open(altered, now); !errors.Is(err, errForged) {
			t.Errorf("byte %d altered: %v", i, err)
		}
	}
	for _, text := range []string{"", ".", text + ".", text + "=", text + "A", strings.Repeat("A", 100_000)} {
		if _, err := k.open(text, now); !errors.Is(err, errForged) {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

func TestCanonical(t *testing.T) {
	for _, test := range []struct{ a, b string }{
		{"/api/files", "/api/files"},
		{"/a?x=1&y=a%20b", "/a?y=a+b&x=1"},
		{"/a%20b", "/a%20b"},
		{"/%61", "/a"},
		{"/a?q=%2F", "/a?q=/"},
	} {
		a, err := Canonical(test.a)
		b, other := Canonical(test.b)
		if err != nil || other != nil || a != b {
			t.Errorf("%q: %q %v; %q: %q %v", test.a, a, err, test.b, b, other)
		}
	}
	for _, pair := range [][2]string{{"/a", "/b"}, {"/a?x=1", "/a?x=2"}, {"/a?x=1&x=2", "/a?x=2&x=1"}, {"/a", "/a/"}, {"/a%2Fb", "/a/b"}, {"/a%3Fb", "/a?b"}} {
		a, _ := Canonical(pair[0])
		if b, _ := Canonical(pair[1]); a == b {
			t.Errorf("%q and %q are one: %q", pair[0], pair[1], a)
		}
	}
	for _, bad := range []string{"", "a", "http://x/", "//x/a", `/\x`, "/a#b", "/a\r\nb", "/%zz", "*"} {
		if got, err := Canonical(bad); err == nil {
			t.Errorf("%q passes as %q", bad, got)
		}
	}
}

// TestFits: what has no room where the app writes it is refused with its size and what mends it, before it is sent.
func TestFits(t *testing.T) {
	for _, c := range []struct {
		limit, room, size int64
		says              string
	}{
		{0, 480_000_000, 480_000_000, ""},
		{0, 480_000_000, 480_000_001, "480.0 MB, and this function has room for 480.0 MB (ephemeral_storage)"},
		{10_000_000, 480_000_000, 12_000_000, "12.0 MB, and at most 10.0 MB are taken (SLUICE_UPLOAD_LIMIT)"},
		{1_000_000_000, 480_000_000, 600_000_000, ""}, // who sets a limit has the room
	} {
		u := New(Config{Limit: c.limit})
		u.room = func() (int64, error) { return c.room, nil }
		err := u.Fits(Wish{Size: c.size})
		var refusal *Refusal
		if (err == nil) != (c.says == "") || err != nil && (!errors.As(err, &refusal) || refusal.Status != 413 || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// No text that was not sealed opens, and no wish passes that a ticket could not carry.
func FuzzTicket(f *testing.F) {
	k := key(f, "secret")
	sealed, err := k.Seal(Ticket{Method: "POST", URI: "/a", Size: 1, Object: "o", Expires: 1 << 40, User: "u"})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{sealed, sealed + "x", "{}", ".", `{"method":"POST","url":"/api/files?a=%20","size":5,"type":"a/b"}`, `{"method":"PUT","url":"//x","size":1}`, `{"size":1e99}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := k.open(text, time.Unix(0, 0)); err == nil && text != sealed {
			t.Errorf("%q opens as %+v", text, got)
		}
		w, err := ReadWish([]byte(text))
		if refusal := new(Refusal); err != nil {
			if !errors.As(err, &refusal) || refusal.Status < 400 || refusal.Status > 499 {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if again, err := Canonical(w.URL); err != nil || again != w.URL || w.Size <= 0 {
			t.Errorf("%q gives %+v, whose URL reads as %q, %v", text, w, again, err)
		}
		ticket, err := k.Seal(Ticket{Method: w.Method, URI: w.URL, Type: w.Type, Size: w.Size, Object: strings.Repeat("o", 60), Upload: strings.Repeat("i", 256), Expires: 1, User: "u"})
		if err != nil || len(ticket) > maxTicket {
			t.Errorf("a ticket of %d bytes for %q: %v", len(ticket), text, err)
		}
	})
}
