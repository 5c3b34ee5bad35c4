package proxyevent

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSpellings: names that differ in case only are one field, the same each time.
func TestSpellings(t *testing.T) {
	const event = `{"httpMethod":"GET","headers":{"x-a":"3","X-A":"1","X-a":"2","X-B":"1","X-Forwarded-For":"1.1.1.1","x-forwarded-for":"2.2.2.2",
		"X-Origin-Verify":"a","x-origin-verify":"b"},"multiValueHeaders":{"x-b":["4"],"X-B":["2","3"],"X-ORIGIN-VERIFY":["c"]},
		"requestContext":{"identity":{"sourceIp":"192.0.2.7"}}}`
	want := http.Header{"X-A": {"1", "2", "3"}, "X-B": {"2", "3", "4"}, "X-Forwarded-For": {"192.0.2.7"}, "X-Forwarded-Proto": {"https"}, "User-Agent": nil}
	for range 40 {
		r, err := Reader{}.Read([]byte(event))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, r.Header); diff != "" {
			t.Fatal(diff)
		}
		if got := slices.Sorted(slices.Values(r.OriginVerify)); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Fatalf("verifications %q", got)
		}
	}
}

// TestAPIKeyIsTheGateways: the key that the method needs is the distribution's; one that nothing asked for is the client's.
func TestAPIKeyIsTheGateways(t *testing.T) {
	for identity, want := range map[string]string{`"apiKey":"k"`: "", `"apiKey":null`: "k", `"sourceIp":"192.0.2.7"`: "k"} {
		r, err := Reader{}.Read([]byte(`{"httpMethod":"GET","headers":{"x-api-key":"k"},"requestContext":{"identity":{` + identity + `}}}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Header.Get("X-Api-Key"); got != want {
			t.Errorf("%s: the app sees the key %q, not %q", identity, got, want)
		}
	}
}

func TestWhatTheGatewaySaysIsChecked(t *testing.T) {
	for event, want := range map[string]string{
		`"headers":{"Host":"a b"}`:                                                `host "a b"`,
		`"headers":{"Host":"a,b"}`:                                                "host",
		`"headers":{"Host":"a|b"}`:                                                "host",
		`"headers":{"Host":"[fe80::1%25en0]"}`:                                    "host",
		`"headers":{"Host":"a/b"}`:                                                "host",
		`"headers":{"Host":"\u00e9"}`:                                             "host",
		`"headers":{"Host":"a","host":"b"}`:                                       "several hosts",
		`"headers":{"Host":"a","host":"a"}`:                                       "",
		`"headers":{"Host":"[::1]:80"}`:                                           "",
		`"headers":{"Host":"a_b.example:8080"}`:                                   "",
		`"requestContext":{"domainName":"\u007f"}`:                                "host",
		`"requestContext":{"domainName":"a.example"}`:                             "",
		`"requestContext":{"requestId":"a\nb"}`:                                   "id",
		`"requestContext":{"identity":{"sourceIp":"1.1.1.1, 2.2.2.2"}}`:           "source address",
		`"requestContext":{"identity":{"sourceIp":"2001:db8::1"},"requestId":""}`: "",
	} {
		r, err := Reader{}.Read([]byte(`{"httpMethod":"GET",` + event + `}`))
		if want == "" && err != nil || want != "" && (!errors.Is(err, ErrBadRequest) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", event, err, want)
		}
		if r.Kind != REST {
			t.Errorf("%s: kind %v", event, r.Kind)
		}
	}
}

// TestMetadataIsCountedInRealBytes: characters that are special in HTML only count once.
func TestMetadataIsCountedInRealBytes(t *testing.T) {
	location := "/?" + strings.Repeat("a&<>", 3500)
	got, err := AppendPrelude(nil, REST, 302, http.Header{"Location": {location}})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"statusCode":302,"multiValueHeaders":{"Location":["` + location + `"]}}` + string(delimiter); string(got) != want {
		t.Errorf("%q", got)
	}
	room := MaxPrelude - len(got)
	for extra, want := range map[int]error{room: nil, room + 1: ErrPreludeTooLarge} {
		if _, err := AppendPrelude(nil, REST, 302, http.Header{"Location": {location + strings.Repeat("&", extra)}}); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v, want %v", len(got)+extra, err, want)
		}
	}
	doc, err := Buffered(HTTPv2, 200, http.Header{}, []byte("<p>&"))
	if want := `{"statusCode":200,"body":"<p>&","isBase64Encoded":false}`; err != nil || string(doc) != want {
		t.Errorf("%s, %v", doc, err)
	}
}
