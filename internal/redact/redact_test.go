package redact

import (
	"strings"
	"testing"
)

const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1r"

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"/health?first":                         "",
		"/c/new?model=gpt&temperature=0.7":      "",
		"/api/probe/sse?events=20&interval=100": "",
		"/api/msg?conversationId=0b0f4a5e-9a1c-4f3e-8d2b-1c2d3e4f5a6b&endpoint=openAI": "",
		"/s?q=how-to-write-a-long-title-with-dashes-in-2024":                           "",
		"/x?code=42": "", "/x?page=12345678901234567890123456789012345": "",
		"/oauth/cb?code=4/0AX4XfWh&state=open":           "/oauth/cb?code=[redacted]&state=open",
		"/r?token=abcd#x":                                "/r?token=[redacted]#x",
		"/r?a=1&ACCESS_Token=abcd;api-key=efgh":          "/r?a=1&ACCESS_Token=[redacted];api-key=[redacted]",
		"/r?%74oken=abcd":                                "/r?%74oken=[redacted]",
		"/cb#access_token=abcd&expires_in=3600":          "/cb#access_token=[redacted]&expires_in=3600",
		"/f?X-Amz-Signature=abcd&X-Amz-Expires=900":      "/f?X-Amz-Signature=[redacted]&X-Amz-Expires=900",
		"/f?Signature=abcd&Key-Pair-Id=K123&Policy=e30_": "/f?Signature=[redacted]&Key-Pair-Id=[redacted]&Policy=[redacted]",
		"/f?user[password]=hunter2":                      "/f?user[password]=[redacted]",
		"/v?x=" + jwt:                                    "/v?x=[redacted]",
		"/v/" + jwt + "/done":                            "/v/[redacted]/done",
		"/v?x=sk-abcdefghijklmnop":                       "/v?x=[redacted]",
		"/v?x=0123456789abcdef0123456789abcdef":          "/v?x=[redacted]",
		"/login?next=%2Fcb%3Fcode%3Dabcd%26a%3D1":        "/login?next=[redacted]",
		"/login?next=%252Fcb%253Fcode%253Dabcd":          "/login?next=[redacted]",
		"/login?next=%2Fchat%3Fpage%3D1234":              "",
		`GET "/cb?code=abcd" 302`:                        `GET "/cb?code=[redacted]" 302`,
		"Location: https://a.b/cb?code=abcd&x=1":         "Location: https://a.b/cb?code=[redacted]&x=1",
		"Referer: https://a.b/#id_token=abcd":            "Referer: https://a.b/#id_token=[redacted]",
		"Authorization: Bearer abcdefgh1234":             "Authorization: [redacted]",
		`{"authorization":"Basic YWRhOmh1bnRlcjI="}`:     `{"authorization":"[redacted]"}`,
		"Cookie: sid=abc; refreshToken=xyz12":            "Cookie: [redacted]",
		"Set-Cookie: a=b; Path=/":                        "Set-Cookie: [redacted]",
		"x-origin-verify: hunter2":                       "x-origin-verify: [redacted]",
		"the app answered Bearer realm":                  "",
		"a note without anything: 3 = 4; and more":       "",
	} {
		if want == "" {
			want = in
		}
		if got := Text(in); got != want {
			t.Errorf("%s\n\tbecomes %s\n\twant    %s", in, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"/a?token=abcd&b=1", "a#b=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x", "?n=%3Ft%3D%253Ftoken%253Dabcd", "cookie: a", "?a=[redacted]x", "?key=%zz%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if once := Text(s); Text(once) != once {
			t.Errorf("%q becomes %q, and that %q", s, once, Text(once))
		}
		if got := Text("/a?x=1&access_token=hunter2hunter2&y=" + strings.Map(func(r rune) rune {
			if strings.ContainsRune("&?#;", r) {
				return -1
			}
			return r
		}, s)); strings.Contains(got, "token=hunter2") {
			t.Errorf("%q", got)
		}
	})
}

func BenchmarkText(b *testing.B) {
	for b.Loop() {
		Text("/api/messages?conversationId=0b0f4a5e-9a1c-4f3e-8d2b-1c2d3e4f5a6b")
	}
}
