package rehearsal_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
)

// person talks to LibreChat's API as its page does.
type person struct {
	base   string
	design facts.Design
	login  map[string]string // that token is of
	mu     sync.Mutex        // guards token
	token  string
	// patient, if not nil, ends the reading of a stream where no more comes of a
	// generation that was killed; request is that of its POST.
	patient func(ctx context.Context, request string) (context.Context, context.CancelFunc)
}

// userAgent is a browser's: LibreChat refuses others.
const userAgent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"

const (
	personEmail    = "ann@example.com"
	personPassword = "correct horse"
)

func newPerson(t testing.TB, base string, d facts.Design) *person {
	t.Helper()
	p := &person{base: base, design: d}
	user := map[string]string{"name": "Ann", "username": "ann", "email": personEmail, "password": personPassword, "confirm_password": personPassword}
	// The first request is a cold start, which a machine at work can make longer than Lambda's init phase.
	for range 5 {
		err := p.call(t.Context(), http.MethodPost, facts.RegisterPath, user, nil)
		if err == nil {
			break
		}
		t.Logf("register: %v", err)
	}
	p.logIn(t, user["email"], user["password"])
	return p
}

func (p *person) logIn(t testing.TB, email, password string) {
	t.Helper()
	p.login = map[string]string{"email": email, "password": password}
	if err := p.renew(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
}

// renew logs in for a token in the place of one, if no other call has.
func (p *person) renew(ctx context.Context, old string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.token != old && old != "" {
		return nil
	}
	response, err := p.send(ctx, http.MethodPost, "/api/auth/login", p.login, "")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var got struct{ Token string }
	err = json.NewDecoder(response.Body).Decode(&got)
	p.token = got.Token
	return err
}

// open returns an answer of status 200. A token lives for 15 minutes, and a test may take longer.
func (p *person) open(ctx context.Context, method, path string, body any) (*http.Response, error) {
	p.mu.Lock()
	token := p.token
	p.mu.Unlock()
	response, err := p.send(ctx, method, path, body, token)
	var refused *refusal
	if token != "" && errors.As(err, &refused) && refused.status == http.StatusUnauthorized && p.renew(ctx, token) == nil {
		p.mu.Lock()
		token = p.token
		p.mu.Unlock()
		response, err = p.send(ctx, method, path, body, token)
	}
	return response, err
}

func (p *person) send(ctx context.Context, method, path string, body any, token string) (*http.Response, error) {
	in, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, p.base+path, bytes.NewReader(in))
	if err != nil {
		return nil, err
	}
	if body == nil {
		request.Body, request.ContentLength = nil, 0
	}
	request.Header.Set("User-Agent", userAgent)
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 300))
		response.Body.Close()
		return nil, &refusal{response.StatusCode, response.Header.Get("X-Amz-Cf-Id"), fmt.Sprintf("%s %s: %s: %s", method, path, response.Status, body)}
	}
	return response, nil
}

// refusal is an answer of another status than 200.
type refusal struct {
	status        int
	request, text string
}

func (r *refusal) Error() string { return r.text }

func (p *person) call(ctx context.Context, method, path string, body, out any) error {
	response, err := p.open(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// question is one chat: a new conversation with one question, and what its page
// has seen of it.
type question struct {
	text         string
	conversation string
	request      string // CloudFront's id of the POST
	final        bool
	err          error   // of the last attempt to read
	stream       *stream // where the POST is the stream and is still being read
}

// ask chats once. It gives up where a page would.
func (p *person) ask(ctx context.Context, text string) (q question) {
	q = question{text: text}
	response, err := p.post(ctx, text)
	if err != nil {
		var refused *refusal
		if errors.As(err, &refused) {
			q.request = refused.request
		}
		q.err = err
		return q
	}
	defer response.Body.Close()
	q.request = response.Header.Get("X-Amz-Cf-Id")
	if p.design == facts.StreamsInPost {
		q.err = q.read(response.Body)
		return q
	}
	var started struct{ StreamID string }
	if q.err = json.NewDecoder(response.Body).Decode(&started); q.err != nil {
		return q
	}
	q.conversation = started.StreamID
	if p.patient != nil {
		patient, cancel := p.patient(ctx, q.request)
		defer cancel()
		ctx = patient
	}
	p.follow(ctx, &q)
	return q
}

// post asks a question in a new conversation, and returns the answer to the POST.
func (p *person) post(ctx context.Context, text string) (*http.Response, error) {
	return p.open(ctx, http.MethodPost, "/api/agents/chat/"+facts.StubEndpoint, map[string]any{
		"text": text, "sender": "User", "isCreatedByUser": true, "parentMessageId": "00000000-0000-0000-0000-000000000000",
		"messageId": rand.Text(), "conversationId": nil, "endpoint": facts.StubEndpoint, "endpointType": "custom",
		"model": facts.StubModel, "ephemeralAgent": map[string]any{}})
}

// follow reads the stream of a release that generates after the POST, and joins it
// again where it breaks, as often as LibreChat's page does.
func (p *person) follow(ctx context.Context, q *question) {
	for pause := 200 * time.Millisecond; pause < 10*time.Second; pause *= 2 { // 6 times
		response, err := p.open(ctx, http.MethodGet, "/api/agents/chat/stream/"+q.conversation+"?resume=true", nil)
		if err == nil {
			err = q.read(response.Body)
			response.Body.Close()
		}
		if q.err = err; err == nil || ctx.Err() != nil {
			return
		}
		time.Sleep(pause) // the page's own, before it joins again
	}
}

// read takes the events of a stream to the final one.
func (q *question) read(body io.Reader) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var e struct {
			Final, Error bool
			Message      json.RawMessage
			Conversation struct{ ConversationID string }
		}
		if json.Unmarshal([]byte(data), &e) != nil {
			continue // an event of a kind that carries none of these
		}
		var created struct{ ConversationID string }
		if json.Unmarshal(e.Message, &created) == nil && created.ConversationID != "" {
			q.conversation = created.ConversationID
		}
		if e.Final {
			q.conversation, q.final = e.Conversation.ConversationID, true
			return nil
		}
		if e.Error {
			return fmt.Errorf("the stream said: %.200s", data)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

// answer is the text of a conversation's answers, as a page shows it: a message's
// parts, where it has some, else its text.
func (p *person) answer(ctx context.Context, conversation string) (string, error) {
	var messages []struct {
		IsCreatedByUser bool
		Text            string
		Content         []struct{ Text json.RawMessage }
	}
	if err := p.call(ctx, http.MethodGet, "/api/messages/"+conversation, nil, &messages); err != nil {
		return "", err
	}
	var all strings.Builder
	for _, m := range messages {
		if m.IsCreatedByUser {
			continue
		}
		if len(m.Content) == 0 {
			all.WriteString(m.Text)
		}
		for _, part := range m.Content {
			var text string
			if json.Unmarshal(part.Text, &text) == nil {
				all.WriteString(text)
			}
		}
	}
	return all.String(), nil
}

// conversation is what the list of a page has of one.
type conversation struct {
	Title     string
	UpdatedAt time.Time // of it, or of a message of it
}

func (p *person) conversation(t testing.TB, id string) (c conversation) {
	t.Helper()
	err := p.again(t.Context(), func() error { return p.call(t.Context(), http.MethodGet, "/api/convos/"+id, nil, &c) })
	if err != nil {
		t.Errorf("conversation %s: %v", id, err)
	}
	for _, m := range p.messages(t, id) {
		c.UpdatedAt = latest(c.UpdatedAt, m.UpdatedAt)
	}
	return c
}

// savedMessage is one of a conversation, as the API has it.
type savedMessage struct {
	ID        string `json:"_id"`
	MessageID string
	UpdatedAt time.Time
}

func (p *person) messages(t testing.TB, conversation string) (all []savedMessage) {
	t.Helper()
	err := p.again(t.Context(), func() error { return p.call(t.Context(), http.MethodGet, "/api/messages/"+conversation, nil, &all) })
	if err != nil {
		t.Errorf("messages of %s: %v", conversation, err)
	}
	return all
}

// again tries three times: a request can meet an environment that is being ended.
func (p *person) again(ctx context.Context, call func() error) (err error) {
	for range 3 {
		if err = call(); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}
