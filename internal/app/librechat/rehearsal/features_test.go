package rehearsal_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/emulate/mongo/guard"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/rehearse/stores"
)

// step is one request of a person who tries LibreChat's features. In path and
// body a word in braces stands for what an earlier step has kept.
type step struct {
	method, path, body string
	keep               string // name of what of the answer is kept
	from               string // its field, as a path with dots
	routes             string // LibreChat's file of such requests, which not each release has
	none               bool   // 404 is an answer: there is no such thing
}

// features are requests of LibreChat's own pages, in an order in which each finds
// what it needs. Left out is what wants a server of its own: search (Meilisearch),
// tools (MCP servers) and mail.
var features = []step{
	{method: "GET", path: "/api/user"},
	{method: "GET", path: "/api/user/terms"},
	{method: "POST", path: "/api/user/terms/accept"},
	{method: "GET", path: "/api/balance", none: true},
	{method: "GET", path: "/api/banner"},
	{method: "GET", path: "/api/keys?name=Rehearsal"},
	{method: "PUT", path: "/api/keys", body: `{"name":"Rehearsal","value":"secret","expiresAt":null}`},
	{method: "DELETE", path: "/api/keys/Rehearsal"},
	{method: "GET", path: "/api/roles/user", none: true},
	{method: "GET", path: "/api/categories"},
	{method: "GET", path: "/api/search/enable"},

	{method: "GET", path: "/api/convos?limit=25"},
	{method: "GET", path: "/api/convos?tags=work&isArchived=true&sortBy=title&sortDirection=asc"},
	{method: "GET", path: "/api/convos/{chat}"},
	{method: "GET", path: "/api/messages/{chat}", keep: "message", from: "1.messageId"},
	{method: "GET", path: "/api/messages?sortBy=createdAt&sortDirection=desc&pageSize=10"},
	{method: "GET", path: "/api/messages?conversationId={chat}&messageId={message}"},
	{method: "PUT", path: "/api/messages/{chat}/{message}/feedback", body: `{"feedback":{"rating":"thumbsUp","tag":"accurate_reliable"}}`},
	{method: "PUT", path: "/api/messages/{chat}/{message}", body: `{"text":"edited","index":0,"model":"rehearsal"}`},
	{method: "POST", path: "/api/convos/update", body: `{"arg":{"conversationId":"{chat}","title":"renamed"}}`},
	{method: "POST", path: "/api/convos/archive", body: `{"arg":{"conversationId":"{chat}","isArchived":true}}`},
	{method: "POST", path: "/api/convos/archive", body: `{"arg":{"conversationId":"{chat}","isArchived":false}}`},
	{method: "POST", path: "/api/convos/duplicate", body: `{"conversationId":"{chat}","title":"twice"}`, keep: "copy", from: "conversation.conversationId"},
	{method: "POST", path: "/api/convos/fork", body: `{"conversationId":"{chat}","messageId":"{message}","option":"directPath","splitAtTarget":false}`},
	{method: "POST", path: "/api/convos/import", body: "import"},

	{method: "POST", path: "/api/tags", body: `{"tag":"work","description":"of the day","addToConversation":true,"conversationId":"{chat}"}`},
	{method: "POST", path: "/api/tags", body: `{"tag":"home","description":""}`},
	{method: "GET", path: "/api/tags"},
	{method: "PUT", path: "/api/tags/convo/{chat}", body: `{"tags":["work","home"]}`},
	{method: "PUT", path: "/api/tags/work", body: `{"tag":"office","description":"renamed","position":2}`},
	{method: "GET", path: "/api/convos?tags=office"},
	{method: "DELETE", path: "/api/tags/home"},

	{method: "POST", path: "/api/share/{chat}", body: `{}`, keep: "share", from: "shareId"},
	{method: "GET", path: "/api/share/link/{chat}"},
	{method: "GET", path: "/api/share?pageSize=25&isPublic=true&sortBy=createdAt&sortDirection=desc&search=re"},
	{method: "GET", path: "/api/share/{share}"},
	{method: "PATCH", path: "/api/share/{share}", keep: "share", from: "shareId"},
	{method: "DELETE", path: "/api/share/{share}"},

	{method: "POST", path: "/api/presets", body: `{"presetId":null,"title":"mine","endpoint":"Rehearsal","endpointType":"custom","model":"rehearsal","defaultPreset":true}`, keep: "preset", from: "presetId"},
	{method: "GET", path: "/api/presets"},
	{method: "POST", path: "/api/presets/delete", body: `{"presetId":"{preset}"}`},

	{method: "GET", path: "/api/memories"},
	{method: "POST", path: "/api/memories", body: `{"key":"likes","value":"tea"}`},
	{method: "PATCH", path: "/api/memories/likes", body: `{"key":"likes","value":"coffee"}`},
	{method: "PATCH", path: "/api/memories/preferences", body: `{"memories":false}`},
	{method: "DELETE", path: "/api/memories/likes"},

	{method: "POST", path: "/api/prompts", body: `{"prompt":{"type":"text","prompt":"Tell of {{topic}}"},"group":{"name":"tell","category":"write","oneliner":"tells"}}`, keep: "group", from: "prompt.groupId"},
	{method: "GET", path: "/api/prompts/groups?pageSize=10&pageNumber=1&category=write&name=te"},
	{method: "GET", path: "/api/prompts/groups?pageSize=10&category=no_category"},
	{method: "GET", path: "/api/prompts/groups?pageSize=10&category=sys__shared__sys"},
	{method: "GET", path: "/api/prompts/groups?limit=10&cursor="},
	{method: "GET", path: "/api/prompts/groups/{group}"},
	{method: "GET", path: "/api/prompts?groupId={group}", keep: "prompt", from: "0._id"},
	{method: "POST", path: "/api/prompts/groups/{group}/prompts", body: `{"prompt":{"type":"text","prompt":"Tell more","groupId":"{group}"}}`},
	{method: "PATCH", path: "/api/prompts/{prompt}/tags/production", body: `{}`},
	{method: "PATCH", path: "/api/prompts/groups/{group}", body: `{"name":"tell it","command":"tell"}`},
	{method: "GET", path: "/api/prompts/all"},
	{method: "GET", path: "/api/permissions/promptGroup/roles"},
	{method: "GET", path: "/api/permissions/promptGroup/{group}"},
	{method: "GET", path: "/api/permissions/promptGroup/{group}/effective"},
	{method: "GET", path: "/api/permissions/promptGroup/effective/all"},
	{method: "PUT", path: "/api/permissions/promptGroup/{group}", body: `{"updated":[],"removed":[],"public":true,"publicAccessRoleId":"promptGroup_viewer"}`},
	{method: "DELETE", path: "/api/prompts/{prompt}?groupId={group}"},
	{method: "DELETE", path: "/api/prompts/groups/{group}"},

	{method: "GET", path: "/api/agents/categories"},
	{method: "POST", path: "/api/agents", body: `{"name":"Helper","description":"helps","instructions":"Help.","provider":"Rehearsal","model":"rehearsal","tools":[],"model_parameters":{},"category":"general"}`, keep: "agent", from: "id"},
	{method: "GET", path: "/api/agents?requiredPermission=1&limit=10&search=He&category=general"},
	{method: "GET", path: "/api/agents?promoted=1&limit=1"},
	{method: "GET", path: "/api/agents/{agent}", keep: "agentId", from: "_id"},
	{method: "GET", path: "/api/agents/{agent}/expanded"},
	{method: "PATCH", path: "/api/agents/{agent}", body: `{"name":"Helper two","description":"helps more"}`},
	{method: "POST", path: "/api/agents/{agent}/revert", body: `{"version_index":0}`},
	{method: "POST", path: "/api/agents/{agent}/duplicate", body: `{}`},
	{method: "GET", path: "/api/agents/tools"},
	{method: "GET", path: "/api/permissions/agent/{agentId}"},
	{method: "PUT", path: "/api/permissions/agent/{agentId}", body: `{"updated":[],"removed":[],"public":true,"publicAccessRoleId":"agent_viewer"}`},
	{method: "GET", path: "/api/files/agent/{agent}"},
	{method: "DELETE", path: "/api/agents/{agent}"},

	{method: "POST", path: "/api/files", body: "file", keep: "file", from: "file_id"},
	{method: "GET", path: "/api/files"},
	{method: "GET", path: "/api/files/config"},
	{method: "DELETE", path: "/api/files", body: `{"files":[{"file_id":"{file}","filepath":"{filepath}"}]}`},

	{routes: "projects.js", method: "POST", path: "/api/projects", body: `{"name":"mill","description":"of water"}`, keep: "project", from: "_id"},
	{routes: "projects.js", method: "GET", path: "/api/projects?limit=10"},
	{routes: "projects.js", method: "PUT", path: "/api/projects/conversations/{chat}", body: `{"projectId":"{project}"}`},
	{routes: "projects.js", method: "GET", path: "/api/convos?projectId={project}"},
	{routes: "projects.js", method: "PATCH", path: "/api/projects/{project}", body: `{"name":"the mill"}`},
	{routes: "projects.js", method: "GET", path: "/api/projects/{project}"},
	{routes: "projects.js", method: "DELETE", path: "/api/projects/{project}"},

	{routes: "skills.js", method: "POST", path: "/api/skills", body: `{"name":"milling","description":"Use it when somebody asks for flour of their own grain.","body":"Weigh the grain twice."}`, keep: "skill", from: "_id"},
	{routes: "skills.js", method: "GET", path: "/api/skills?limit=10&search=mill"},
	{routes: "skills.js", method: "GET", path: "/api/skills/{skill}"},
	{routes: "skills.js", method: "PATCH", path: "/api/skills/{skill}", body: `{"expectedVersion":1,"body":"Weigh the grain three times."}`},
	{routes: "skills.js", method: "GET", path: "/api/skills/{skill}/files"},
	{routes: "skills.js", method: "DELETE", path: "/api/skills/{skill}"},

	{method: "DELETE", path: "/api/convos", body: `{"arg":{"conversationId":"{copy}","source":"button"}}`},
	{method: "DELETE", path: "/api/convos/all"},
	{method: "POST", path: "/api/auth/refresh", body: `{}`},
	{method: "POST", path: "/api/auth/logout", body: `{}`},
	{method: "DELETE", path: "/api/user/delete"},
}

// TestBuiltStrict uses all features of a LibreChat whose database refuses what
// DocumentDB refuses.
func TestBuiltStrict(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		w := startWith(t, r, nil, stores.Config{Strict: true}, func(cfg *rehearse.Config) { cfg.Concurrency = 3 })
		p := newPerson(t, w.ViewerURL, r.Design)
		p.becomeFirst(t)
		q := p.ask(t.Context(), "hello there [llm tokens=5 every=10ms first=10ms]")
		if !q.final {
			t.Fatalf("chat: %v", q.err)
		}
		kept := map[string]string{"chat": q.conversation}
		for _, s := range features {
			if _, err := os.Stat(filepath.Join(r.Dir, "api", "server", "routes", s.routes)); err != nil {
				continue
			}
			status, body := s.take(t, p, kept)
			if status >= 300 && (status != http.StatusNotFound || !s.none) {
				t.Errorf("%s %s: %d %.300s", s.method, s.path, status, body)
			}
		}
		w.rest(t, func() {})
		w.judgeFindings(t)
	})
}

// becomeFirst logs in as the rehearsal's user, who as the first one may do all.
func (p *person) becomeFirst(t *testing.T) {
	p.logIn(t, facts.UserEmail, facts.UserPassword)
}

// judgeFindings holds what the guard has found against what is known to be sent.
func (w *world) judgeFindings(t *testing.T) {
	for _, f := range w.chat.Stores.Mongo.Findings() {
		var callers []string
		for _, c := range f.Callers {
			callers = append(callers, c.What)
		}
		t.Logf("%s %s on %s: %s (%s), %d times, from %s", f.Effect, f.Command, f.Collection, f.Feature, f.Why, f.Count, strings.Join(callers, ", "))
		if len(callers) == 0 {
			t.Errorf("nobody is named to have sent %s", f)
		}
		if f.Effect == guard.Refused && !slices.Contains(knownRefusals, f.Command+" "+f.Collection+" "+f.Feature) {
			t.Errorf("DocumentDB refuses what LibreChat needs, and docs/librechat.md does not tell of it: %s", f)
		}
	}
}

// knownRefusals are those that docs/librechat.md tells of.
var knownRefusals = []string{
	"update agents update by a pipeline", "update conversationtags update by a pipeline",
	"createIndexes agent_checkpoints parallel index builds", "createIndexes agent_checkpoint_writes parallel index builds",
}

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

// take sends one request, and keeps what is asked for.
func (s step) take(t *testing.T, p *person, kept map[string]string) (int, string) {
	t.Helper()
	fill := func(text string) string {
		return placeholder.ReplaceAllStringFunc(text, func(word string) string {
			if value, ok := kept[word[1:len(word)-1]]; ok {
				return value
			}
			return word
		})
	}
	body, kind := []byte(fill(s.body)), "application/json"
	switch s.body {
	case "import":
		body, kind = form(t, "export.json", "application/json", `{"conversationId":"x","endpoint":"Rehearsal","title":"imported","exportAt":"12:00:00","branches":true,"recursive":true,"options":{"endpoint":"Rehearsal","model":"rehearsal"},"messages":[{"messageId":"m1","conversationId":"x","parentMessageId":"00000000-0000-0000-0000-000000000000","sender":"User","text":"hello","isCreatedByUser":true,"children":[]}]}`, nil)
	case "file":
		body, kind = form(t, "note.txt", "text/plain", "a note", map[string]string{
			"endpoint": "Rehearsal", "endpointType": "custom", "file_id": "0b9d2f8e-6d3c-4b2e-9f63-5d8e2f1a7c44", "message_file": "true", "tool_resource": "context"})
	}
	request, err := http.NewRequestWithContext(t.Context(), s.method, p.base+fill(s.path), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("User-Agent", userAgent)
	request.Header.Set("Content-Type", kind)
	request.Header.Set("Authorization", "Bearer "+p.token)
	response, err := (&http.Client{Timeout: time.Minute}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Errorf("%s %s: %v", s.method, s.path, err)
	}
	if s.keep != "" && response.StatusCode < 300 {
		kept[s.keep] = field(answer, s.from)
		if kept[s.keep] == "" {
			t.Logf("%s %s has no %s: %.300s", s.method, s.path, s.from, answer)
		}
		if s.keep == "file" {
			kept["filepath"] = field(answer, "filepath")
		}
	}
	return response.StatusCode, string(answer)
}

// field reads a value at a path such as 0.conversation.title.
func field(document []byte, path string) string {
	var at any
	if json.Unmarshal(document, &at) != nil {
		return ""
	}
	for part := range strings.SplitSeq(path, ".") {
		switch v := at.(type) {
		case map[string]any:
			at = v[part]
		case []any:
			var i int
			if _, err := fmt.Sscan(part, &i); err != nil || i >= len(v) {
				return ""
			}
			at = v[i]
		}
	}
	text, _ := at.(string)
	return text
}

// form is a body with a file and fields.
func form(t *testing.T, name, kind, content string, fields map[string]string) (body []byte, contentType string) {
	t.Helper()
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	for key, value := range fields {
		if err := w.WriteField(key, value); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {fmt.Sprintf(`form-data; name="file"; filename=%q`, name)}, "Content-Type": {kind}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(part, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), w.FormDataContentType()
}
