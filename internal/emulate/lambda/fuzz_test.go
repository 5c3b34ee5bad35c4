package lambda

import (
	"bytes"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

func TestParsePath(t *testing.T) {
	for path, want := range map[string]target{
		"/2021-11-15/functions/chat/response-streaming-invocations":                                           {"chat", "", true},
		"/2015-03-31/functions/chat/invocations":                                                              {"chat", "", false},
		"/2015-03-31/functions/chat:live/invocations":                                                         {"chat", "live", false},
		"/2015-03-31/functions/chat%3A$LATEST/invocations":                                                    {"chat", "$LATEST", false},
		"/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:chat/invocations":               {"chat", "", false},
		"/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Achat:9/invocations": {"chat", "9", false},
		"/2015-03-31/functions/123456789012:function:chat/invocations":                                        {"chat", "", false},
		"/2015-03-31/functions/function:chat/invocations":                                                     {"chat", "", false},
	} {
		if got, ok := parsePath(path); !ok || got != want {
			t.Errorf("%s: %+v %v, want %+v", path, got, ok, want)
		}
	}
	for _, path := range []string{
		"", "/", "/2015-03-31/functions/chat/response-streaming-invocations", "/2021-11-15/functions/chat/invocations",
		"/2015-03-31/functions//invocations", "/2015-03-31/functions/chat", "/2015-03-31/functions/chat/invocations/",
		"/2015-03-31/functions/%zz/invocations", "/2015-03-31/functions/a:b:c/invocations", "x/2015-03-31/functions/chat/invocations",
	} {
		if got, ok := parsePath(path); ok {
			t.Errorf("%q is taken for %+v", path, got)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	f.Add("/2021-11-15/functions/chat/response-streaming-invocations")
	f.Add("/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Achat:9/invocations")
	f.Add("/2015-03-31/functions/::/invocations")
	f.Fuzz(func(t *testing.T, path string) {
		got, ok := parsePath(path)
		if ok && (got.function == "" || strings.Contains(got.function+got.qualifier, ":")) {
			t.Errorf("%q gives %+v", path, got)
		}
	})
}

// FuzzMessage reads what was written with AWS's own decoder.
func FuzzMessage(f *testing.F) {
	f.Add([]byte("hello"))
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0}, 100_000))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var b bytes.Buffer
		if err := writePayloadChunk(&b, payload); err != nil {
			t.Fatal(err)
		}
		message, err := eventstream.NewDecoder().Decode(&b, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(message.Payload, payload) || b.Len() != 0 {
			t.Errorf("%d bytes came back as %d, %d are left", len(payload), len(message.Payload), b.Len())
		}
		if v := message.Headers.Get(":event-type"); v.String() != "PayloadChunk" {
			t.Errorf("event type %s", v)
		}
	})
}
