package bootstrap_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// silence is what the app of TestStreamClients keeps in the midst of each stream, and several heartbeats long.
const silence = 700 * time.Millisecond

// talks is the app of TestStreamClients: /silence/… are the streams of known APIs, silent for a while after their first events,
// and those below /deadline/ are silent for ever.
func talks(mux *http.ServeMux) {
	for _, scene := range []string{"silence", "deadline"} {
		stream := func(path, first, rest string) {
			mux.HandleFunc("/"+scene+path, func(w http.ResponseWriter, r *http.Request) { talk(w, r, scene == "deadline", first, rest) })
		}
		stream("/v1/chat/completions", chunk(`{"role":"assistant","content":"a"}`, "null"), chunk(`{"content":"b"}`, "null")+chunk("{}", `"stop"`)+"data: [DONE]\n\n")
		stream("/v1/responses", named("response.created", `"response":`+response("in_progress"))+named("response.output_item.added", `"output_index":0,"sequence_number":1,"item":{"id":"i","type":"message","role":"assistant","status":"in_progress","content":[]}`)+
			named("response.content_part.added", `"item_id":"i","output_index":0,"content_index":0,"sequence_number":1,"part":{"type":"output_text","text":"","annotations":[]}`)+delta("a"), delta("b")+
			named("response.output_text.done", `"item_id":"i","output_index":0,"content_index":0,"sequence_number":1,"logprobs":[],"text":"ab"`)+
			named("response.content_part.done", `"item_id":"i","output_index":0,"content_index":0,"sequence_number":1,"part":{"type":"output_text","text":"ab","annotations":[]}`)+
			named("response.output_item.done", `"output_index":0,"sequence_number":1,"item":{"id":"i","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"ab","annotations":[]}]}`)+
			named("response.completed", `"response":`+response("completed")))
		stream("/v1/messages", named("message_start", `"message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}`)+
			named("content_block_start", `"index":0,"content_block":{"type":"text","text":""}`)+said("a"),
			said("b")+named("content_block_stop", `"index":0`)+named("message_delta", `"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}`)+named("message_stop", `"x":0`))
		stream("/named", "event: message\ndata: {\"text\":\"a\"}\n\n", "event: message\ndata: {\"text\":\"b\",\"final\":true}\n\n")
		stream("/unnamed", "data: {\"text\":\"a\"}\n\n", "data: {\"text\":\"b\",\"final\":true}\n\n")
		mux.HandleFunc("/"+scene+"/mcp", func(w http.ResponseWriter, r *http.Request) { speakMCP(w, r, scene == "deadline", false) })
		mux.HandleFunc("/"+scene+"/ids/mcp", func(w http.ResponseWriter, r *http.Request) { speakMCP(w, r, scene == "deadline", true) })
	}
}

func talk(w http.ResponseWriter, r *http.Request, forever bool, first, rest string) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, first)
	_ = http.NewResponseController(w).Flush()
	if forever {
		<-r.Context().Done()
		return
	}
	time.Sleep(silence) // what a model thinks before it goes on
	_, _ = io.WriteString(w, rest)
}

func named(name, fields string) string {
	return fmt.Sprintf("event: %s\ndata: {\"type\":%q,%s}\n\n", name, name, fields)
}

func chunk(delta, reason string) string {
	return fmt.Sprintf("data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":%s,\"finish_reason\":%s}]}\n\n", delta, reason)
}

func delta(text string) string {
	return named("response.output_text.delta", fmt.Sprintf(`"item_id":"i","output_index":0,"content_index":0,"sequence_number":1,"logprobs":[],"delta":%q`, text))
}

func said(text string) string {
	return named("content_block_delta", fmt.Sprintf(`"index":0,"delta":{"type":"text_delta","text":%q}`, text))
}

func response(status string) string {
	return fmt.Sprintf(`{"id":"r","object":"response","created_at":1,"status":%q,"model":"m","output":[],"parallel_tool_calls":true,"tool_choice":"auto","tools":[]}`, status)
}

// speakMCP is a stateless server of MCP with a tool that takes long. With ids, a client that lost its answer gets it by GET.
func speakMCP(w http.ResponseWriter, r *http.Request, forever, ids bool) {
	id := func(n int) string {
		if !ids {
			return ""
		}
		return fmt.Sprintf("id: %s-%d\n", r.Header.Get("X-Request"), n)
	}
	result := `"result":{"content":[{"type":"text","text":"ab"}]}`
	if r.Method == http.MethodGet && ids && r.Header.Get("Last-Event-ID") != "" {
		request, _, _ := strings.Cut(r.Header.Get("Last-Event-ID"), "-")
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "id: %s-2\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":%s,%s}\n\n", request, request, result)
		return
	}
	var call struct {
		Method string
		ID     json.RawMessage
		Params struct{ ProtocolVersion string }
	}
	if r.Method != http.MethodPost || json.NewDecoder(r.Body).Decode(&call) != nil {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	answer := func(format string, args ...any) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,`+format+`}`, append([]any{call.ID}, args...)...)
	}
	switch {
	case call.ID == nil:
		w.WriteHeader(http.StatusAccepted)
	case call.Method == "initialize":
		answer(`"result":{"protocolVersion":%q,"capabilities":{"tools":{}},"serverInfo":{"name":"x","version":"1"}}`, call.Params.ProtocolVersion)
	case call.Method == "tools/list":
		answer(`"result":{"tools":[{"name":"long","inputSchema":{"type":"object"}}]}`)
	case call.Method == "tools/call":
		r.Header.Set("X-Request", string(call.ID))
		talk(w, r, forever, id(1)+"event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"at work\"}}\n\n",
			fmt.Sprintf("%sevent: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":%s,%s}\n\n", id(2), call.ID, result))
	default:
		answer(`"error":{"code":-32601,"message":"Method not found"}`)
	}
}
