package probe_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/probe"
	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
)

// rpc answers JSON-RPC calls with JSON or in an event stream, and knows one session, or as many calls of it as knows allows.
func rpc(stream bool, knows int64) http.Handler {
	var calls atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session := r.Header["Session"]
		switch {
		case r.URL.Path == "/open":
			w.Header().Set("Session", "s-1")
		case len(session) != 1 || session[0] != "s-1" || calls.Add(1) > knows:
			http.Error(w, `{"error":{"message":"session not found"}}`, http.StatusNotFound)
			return
		case r.URL.Path == "/notify":
			w.WriteHeader(http.StatusAccepted)
			return
		}
		result := fmt.Sprintf(`{"id":1,"result":{"tools":[{"name":"a"}],"token":%q}}`, r.URL.Path)
		if !stream {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, result)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		fmt.Fprintf(w, ": hello\n\nid: 1\ndata: \n\nevent: ping\ndata: {}\n\ndata: {\"method\":\"progress\"}\n\ndata: %s\n\n", result)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // a server may leave the stream open
	})
}

func conversation() description.Description {
	session := map[string]string{"Session": "${session}"}
	return description.Description{App: "rpc", Conversation: []description.Call{
		{Name: "open", Request: description.Request{Path: "/open", Body: "{}", Header: map[string]string{"Authorization": "${authorization}"},
			Capture: map[string]string{"token": "result.token"}}, Field: "result", CaptureHeader: map[string]string{"session": "Session"}},
		{Name: "notify", Request: description.Request{Path: "/notify", Body: "{}", Header: session}, Status: []int{202}},
		{Name: "list", Request: description.Request{Path: "/list?${token}", Body: "{}", Header: session}, Field: "result.tools"},
		{Name: "everywhere", Request: description.Request{Path: "/list", Body: "{}", Header: session}, Field: "result.tools", Together: 5, Hint: "be stateless"},
	}}
}

func TestConversation(t *testing.T) {
	for name, stream := range map[string]bool{"JSON": false, "event stream": true} {
		t.Run(name, func(t *testing.T) {
			o := short()
			o.Vars = map[string]string{"authorization": ""}
			r := verify(t, serve(t, rpc(stream, 100)), conversation(), o)
			if !r.OK() {
				t.Errorf("failed: %+v", r.Results)
			}
			if want := "5 at the same time, all answered"; result(t, r, "everywhere").Detail != want {
				t.Errorf("%+v, want %q", result(t, r, "everywhere"), want)
			}
			if got := result(t, r, "list").Detail; strings.Contains(got, "event stream") != stream {
				t.Errorf("list: %q", got)
			}
		})
	}
}

// TestConversationFails: the first wrong answer fails with its reason and the hint, and what follows it is skipped.
func TestConversationFails(t *testing.T) {
	o := short()
	o.Vars = map[string]string{"authorization": ""}
	url := serve(t, rpc(false, 4)) // notify, list, and 2 of 5
	r := verify(t, url, conversation(), o)
	if diff := cmp.Diff([]string{"everywhere"}, named(r, report.Fail)); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}
	x := result(t, r, "everywhere")
	if want := `3 of 5 at the same time failed: /list got 404: {"error":{"message":"session not found"}}`; x.Detail != want || x.Hint != "be stateless" {
		t.Errorf("%+v, want %q", x, want)
	}

	r = verify(t, url, conversation(), o) // it knows no call any more
	if diff := cmp.Diff([]string{"notify"}, named(r, report.Fail)); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}
	if x := result(t, r, "list"); x.Status != report.Skip || x.Detail != `it follows "notify", which failed` {
		t.Errorf("%+v", x)
	}

	d := conversation()
	d.Conversation[0].Field = "result.nothing"
	if x := result(t, verify(t, serve(t, rpc(false, 100)), d, o), "open"); x.Status != report.Fail || !strings.Contains(x.Detail, `no field "result.nothing"`) {
		t.Errorf("%+v", x)
	}
	d.Conversation[0].Name = ""
	if _, err := probe.Run(t.Context(), url, d, o); err == nil || !strings.Contains(err.Error(), "conversation[0]: it has no name") {
		t.Errorf("a call without a name: %v", err)
	}
}
