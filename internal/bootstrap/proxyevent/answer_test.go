package proxyevent

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
)

func TestBuffered(t *testing.T) {
	h := http.Header{"Set-Cookie": {"a=1", "b=2"}, "X-Twice": {"1", "2"}}
	doc, err := Buffered(ALB, 404, h.Clone(), []byte("no"))
	if err != nil {
		t.Fatal(err)
	}
	var alb events.ALBTargetGroupResponse
	if err := json.Unmarshal(doc, &alb); err != nil {
		t.Fatal(err)
	}
	want := events.ALBTargetGroupResponse{StatusCode: 404, StatusDescription: "404 Not Found", Body: "no",
		Headers: map[string]string{"X-Twice": "1, 2", "set-cookie": "a=1", "Set-cookie": "b=2"}}
	if diff := cmp.Diff(want, alb); diff != "" {
		t.Error(diff)
	}

	h.Set("Content-Encoding", "gzip")
	if doc, err = Buffered(HTTPv2, 200, h, []byte("zip")); err != nil {
		t.Fatal(err)
	}
	var v2 events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(doc, &v2); err != nil {
		t.Fatal(err)
	}
	if !v2.IsBase64Encoded || v2.Body != "emlw" || len(v2.Cookies) != 2 || v2.Headers["X-Twice"] != "1, 2" {
		t.Errorf("%s", doc)
	}
}

func TestClientAddress(t *testing.T) {
	for _, test := range []struct {
		values []string
		hops   int
		want   string
	}{
		{nil, 0, "source"},
		{[]string{"a"}, 0, "a"},
		{[]string{"a, b"}, 0, "b"},
		{[]string{"a, b"}, 1, "a"},
		{[]string{"spoof, a", "b"}, 1, "a"},
		{[]string{"a"}, 3, "a"},
		{[]string{" , "}, 0, "source"},
	} {
		if got := clientAddress(test.values, test.hops, "source"); got != test.want {
			t.Errorf("clientAddress(%q, %d) = %q, want %q", test.values, test.hops, got, test.want)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, size := range []int{0, 10 << 10, 6 << 20} {
		event := map[string]any{"httpMethod": "POST", "path": "/x", "multiValueHeaders": map[string][]string{"Host": {"h"}},
			"isBase64Encoded": true, "body": string(makeBase64(size)), "requestContext": map[string]any{"requestId": "1"}}
		payload, err := json.Marshal(event)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(byteSize(size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(payload)))
			for b.Loop() {
				if _, err := (Reader{}).Read(payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func makeBase64(size int) []byte {
	out := make([]byte, (size+2)/3*4)
	for i := range out {
		out[i] = 'A'
	}
	return out
}

func byteSize(n int) string {
	switch {
	case n >= 1<<20:
		return "6MB"
	case n > 0:
		return "10kB"
	}
	return "0B"
}
