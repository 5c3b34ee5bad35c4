package facts_test

import (
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
)

// TestNextAnswerElsewhere is for the releases of SLUICE_LIBRECHAT_DIR that generate
// after the POST: the process that generated an answer, which another one read, is
// then the reader of the conversation's next answer, and tells nothing of the first.
func TestNextAnswerElsewhere(t *testing.T) { eachAfterPost(t, nextAnswerElsewhere) }

func TestStandInNextAnswerElsewhere(t *testing.T) {
	nextAnswerElsewhere(t, standIn(t, facts.GeneratesAfterPost))
}

func nextAnswerElsewhere(t *testing.T, w *world) {
	one, two := w.boot(t, true), w.boot(t, false)
	one.login(t)
	two.token = one.token
	conversation := ""
	for i, c := range [][2]*client{{one, two}, {two, one}, {one, two}} {
		question := string(rune('A'+i)) + " [llm tokens=12 every=20ms first=100ms]"
		conversation = c[0].generate(t, conversation, question)
		resp, err := c[1].open("GET", "/api/agents/chat/stream/"+conversation, nil)
		if err != nil {
			t.Fatal(err)
		}
		words, _ := readWords(t, resp)
		resp.Body.Close()
		want := ""
		for _, r := range w.model.Requests() {
			if !r.Title && strings.Contains(r.Question, question) {
				want = r.Answer
			}
		}
		if got := strings.Join(words, ""); want == "" || got != want {
			t.Errorf("the reader of answer %d saw %q, want %q", i+1, got, want)
		}
	}
}

// generate asks a question in a conversation, or a new one, and reads no answer.
func (c *client) generate(t *testing.T, conversation, question string) (started string) {
	t.Helper()
	body := map[string]any{"text": question, "sender": "User", "isCreatedByUser": true,
		"parentMessageId": "00000000-0000-0000-0000-000000000000", "messageId": rand.Text(), "conversationId": nil,
		"endpoint": facts.StubEndpoint, "endpointType": "custom", "model": facts.StubModel, "ephemeralAgent": map[string]any{}}
	if conversation != "" {
		body["conversationId"] = conversation
	}
	resp, err := c.open("POST", "/api/agents/chat/"+facts.StubEndpoint, body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct{ StreamID string }
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || got.StreamID == "" {
		t.Fatalf("the POST gave no stream: %v", err)
	}
	return got.StreamID
}
