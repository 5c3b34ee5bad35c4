package relay

import (
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/bootstrap/proxyevent"
)

func TestRPCRequests(t *testing.T) {
	for body, want := range map[string]string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call"}`:                                                               "1",
		` {"jsonrpc":"2.0","id":"a\"b","method":"x"}`:                                                                  `"a\"b"`,
		`[{"jsonrpc":"2.0","id":1,"method":"x"},{"jsonrpc":"2.0","method":"y"},{"jsonrpc":"2.0","id":2,"method":"z"}]`: "1 2",
		`{"jsonrpc":"2.0","method":"notifications/x"}`:                                                                 "",
		`{"jsonrpc":"2.0","id":null,"method":"x"}`:                                                                     "",
		`{"jsonrpc":"2.0","id":1,"result":{}}`:                                                                         "",
		`{"jsonrpc":"1.0","id":1,"method":"x"}`:                                                                        "",
		`{"model":"m","messages":[],"id":1,"method":"x"}`:                                                              "",
		`[1,2]`: "",
		`{`:     "",
		``:      "",
	} {
		var ids []string
		for _, id := range rpcRequests([]byte(body)) {
			ids = append(ids, string(id))
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

// TestLateError: what an app answers after the status was given away, in the form in which a client looks for an error.
func TestLateError(t *testing.T) {
	const call = `{"jsonrpc":"2.0","id":7,"method":"x"}`
	for _, c := range []struct {
		request string
		status  int
		body    string
		want    string
	}{
		{"", 404, "no", `event: error|{"status":404,"body":"no","error":{"code":404,"message":"no"}}`},
		{"", 401, `{"error":{"message":"bad key","type":"x"}}`, `event: error|{"status":401,"body":"{\"error\":{\"message\":\"bad key\",\"type\":\"x\"}}","error":{"message":"bad key","type":"x"}}`},
		{"", 500, `{"error":"text"}`, `event: error|{"status":500,"body":"{\"error\":\"text\"}","error":{"code":500,"message":"{\"error\":\"text\"}"}}`},
		{"", 502, "\xff", `event: error|{"status":502,"body":"Bad Gateway","error":{"code":502,"message":"Bad Gateway"}}`},
		{call, 404, "no", `event: message|{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"404 Not Found: no"}}`},
		{call, 200, "{\"jsonrpc\": \"2.0\",\n\"id\": 7, \"result\": {}}\n", `event: message|{"jsonrpc":"2.0","id":7,"result":{}}`},
	} {
		inv := &invocation{req: &proxyevent.Request{Body: []byte(c.request)}}
		got, err := inv.lateError(c.status, []byte(c.body))
		if want := strings.Replace(c.want, "|", "\ndata: ", 1) + "\n\n"; err != nil || string(got) != want {
			t.Errorf("%d %q: %q, %v; want %q", c.status, c.body, got, err, want)
		}
	}
}

func TestDeadlineError(t *testing.T) {
	for event, want := range map[string]string{`{"message":"over"}`: `"data":{"message":"over"}`, "over": `"data":"over"`} {
		got, err := appendRPC(nil, rpcRequests([]byte(`{"jsonrpc":"2.0","id":7,"method":"x"}`)), deadlineError(event))
		if err != nil || !strings.Contains(string(got), `"id":7,"error":{"code":-32001,`) || !strings.Contains(string(got), want) {
			t.Errorf("%q, %v; want %s", got, err, want)
		}
	}
}
