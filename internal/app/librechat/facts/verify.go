package facts

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/aproorg/sluice/internal/probe/description"
)

// Public says by which paths `sluice verify` checks a LibreChat that it has no
// account on.
func Public() description.Description {
	get := func(path string) *description.Request {
		return &description.Request{Path: path}
	}
	return description.Description{
		App: "librechat",
		Site: &description.Site{
			Routes:  []string{"/login", "/register", "/c/new"},
			Missing: "/assets/missing.0000000000.js",
			Hashed:  `/?assets/[A-Za-z0-9_.-]+\.[A-Za-z0-9_-]{8,}\.(?:js|css)`,
		},
		API:            get("/api/config"),
		Errors:         []description.Expect{{Request: *get("/api/user"), Status: 401}, {Request: *get("/api/convos"), Status: 401}},
		Head:           get(HealthPath),
		NotModified:    get("/api/config"),
		HeartbeatEvent: "ping",
	}
}

// Description adds to Public what needs an account: the variables email and
// password are its user's. The given endpoint's model is asked to stream, unless
// endpoint is empty. With the stub model the question's mark sets length, pace
// and silence; another one counts, and is silent for as long as it likes.
//
// LibreChat refuses clients that are no browsers on /api/agents and /api/files;
// the probe's own User-Agent passes.
func Description(d Design, endpoint, model string) description.Description {
	login := description.Request{Method: "POST", Path: loginPath,
		Body:    `{"email":"${email}","password":"${password}"}`,
		Capture: map[string]string{"token": "token"}}
	again := login
	again.Capture = nil
	p := Public()
	p.Login = &login
	p.Cookies = &description.Cookies{Request: again, Names: []string{"refreshToken", "token_provider"}}
	p.Upload = upload(endpoint)
	p.Distinct = distinct(again)
	switch endpoint {
	case "":
	case StubEndpoint:
		p.Distinct = append(p.Distinct, distinctMessages(d, endpoint, model, "[llm tokens=1 every=1ms first=1ms]"))
		p.Stopped = stopped(d, endpoint, model, fmt.Sprintf("[llm tokens=%d every=${interval_ms}ms first=100ms]", leftWords(d)))
		p.Stream = stream(d, endpoint, model, "[llm tokens=${events} every=${interval_ms}ms first=100ms]")
		p.Silence = stream(d, endpoint, model, "[llm tokens=3 every=100ms first=${silence_ms}ms]")
	default:
		p.Distinct = append(p.Distinct, distinctMessages(d, endpoint, model, "Say yes."))
		p.Stopped = stopped(d, endpoint, model, fmt.Sprintf("Count from 1 to %d, each number on a line of its own.", leftWords(d)))
		p.Stream = stream(d, endpoint, model, "Count from 1 to ${events}, each number on a line of its own.")
	}
	return p
}

// distinct are answers with ids of LibreChat's own making. Where nothing raises its limits, it takes seven logins in five minutes.
func distinct(login description.Request) []description.Distinct {
	header := map[string]string{"Authorization": "Bearer ${token}"}
	return []description.Distinct{
		{
			Request: description.Request{Method: "POST", Path: "/api/presets", Header: header,
				Body: `{"title":"sluice verify","endpoint":"openAI"}`, Capture: map[string]string{"preset": "presetId"}},
			Status: []int{200, 201}, Fields: []string{"presetId"},
			Remove: &description.Request{Method: "POST", Path: "/api/presets/delete", Header: header, Body: `{"presetId":"${preset}"}`},
		},
		{Request: login, Cookies: []string{"refreshToken"}, Together: 3}, // which names the session
	}
}

// distinctMessages asks two questions at once, as many as LibreChat answers to one user, and learns their conversations' ids.
func distinctMessages(d Design, endpoint, model, question string) description.Distinct {
	s := stream(d, endpoint, model, question)
	if d == StreamsInPost {
		return description.Distinct{Request: s.Request, Fields: []string{"message.conversationId"}, Together: 2}
	}
	start := *s.Start
	start.Capture = nil
	return description.Distinct{Request: start, Fields: []string{"streamId"}, Together: 2}
}

// upload attaches a file to a message that is never sent, downloads it and deletes it.
func upload(endpoint string) *description.Upload {
	header := map[string]string{"Authorization": "Bearer ${token}", "Accept": "application/json"} // with text/event-stream later releases answer so
	fields := map[string]string{"endpoint": "agents", "message_file": "true", "file_id": "5d1ce0c1-54f1-4f8e-9c39-50c1ce000001"}
	if endpoint != "" {
		fields["endpoint"] = endpoint
		if !slices.Contains(builtIn, endpoint) {
			fields["endpointType"] = "custom"
		}
	}
	return &description.Upload{
		Request: description.Request{Method: "POST", Path: "/api/files", Header: header,
			Capture: map[string]string{"upload": "file_id", "upload_user": "user", "upload_path": "filepath"}},
		Form:   &description.Form{Fields: fields, Field: "file", File: "sluice-verify.pdf", Type: "application/pdf"},
		Back:   &description.Request{Path: "/api/files/download/${upload_user}/${upload}", Header: header},
		Remove: &description.Request{Method: "DELETE", Path: "/api/files", Header: header, Body: `{"files":[{"file_id":"${upload}","filepath":"${upload_path}"}]}`},
	}
}

// leftWords is the length of an answer that is left: one that is stopped must not end
// before that, and one that nothing stops is waited for.
func leftWords(d Design) int {
	if d == GeneratesAfterPost {
		return 1000
	}
	return 40
}

// stopped is an answer whose reader leaves. One that is generated after the POST is then read again and stopped.
func stopped(d Design, endpoint, model, question string) *description.Stopped {
	s := description.Stopped{
		Stream: *stream(d, endpoint, model, question),
		Text:   `"type":"text","text":"((?:[^"\\]|\\.)*)"`,
	}
	header := s.Request.Header
	s.Saved = description.Request{Path: "/api/messages/${stream}", Header: header}
	if d == StreamsInPost { // a stop reaches another environment, and stops nothing
		s.Request.Capture = map[string]string{"stream": "message.conversationId"}
		return &s
	}
	s.Resume = &description.Request{Path: "/api/agents/chat/stream/${stream}?resume=true", Header: header}
	s.Stop = description.Request{Method: "POST", Path: "/api/agents/chat/abort", Header: header, Body: `{"streamId":"${stream}"}`}
	return &s
}

// builtIn are the endpoints that LibreChat has by itself; all others are custom ones of
// librechat.yaml. https://github.com/danny-avila/LibreChat/blob/v0.8.2-rc1/packages/data-provider/src/schemas.ts
var builtIn = []string{"openAI", "azureOpenAI", "google", "anthropic", "bedrock"}

// stream asks a question and reads the answer.
func stream(d Design, endpoint, model, question string) *description.Stream {
	var kind any = "custom"
	if slices.Contains(builtIn, endpoint) {
		kind = nil
	}
	body, err := json.Marshal(map[string]any{
		"text": "sluice verify " + question, "sender": "User", "isCreatedByUser": true,
		"parentMessageId": "00000000-0000-0000-0000-000000000000", "messageId": "verify-${random}",
		"conversationId": nil, "endpoint": endpoint, "endpointType": kind, "model": model,
		"isTemporary": true, "ephemeralAgent": map[string]any{},
	})
	if err != nil {
		panic(err) // plain values always encode
	}
	header := map[string]string{"Authorization": "Bearer ${token}"}
	post := description.Request{Method: "POST", Path: "/api/agents/chat/" + endpoint, Header: header, Body: string(body)}
	if d == StreamsInPost {
		return &description.Stream{Request: post, Final: `"final":true`}
	}
	post.Capture = map[string]string{"stream": "streamId"}
	return &description.Stream{Start: &post, Final: `"final":true`,
		Request: description.Request{Path: "/api/agents/chat/stream/${stream}", Header: header}}
}
