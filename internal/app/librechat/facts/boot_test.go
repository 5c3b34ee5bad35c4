package facts_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/librechattest"
	"github.com/aproorg/sluice/internal/emulate/llm"
	"github.com/aproorg/sluice/internal/emulate/mongo"
	"github.com/aproorg/sluice/internal/emulate/mongo/guard"
	"github.com/aproorg/sluice/internal/emulate/redis"
	"github.com/aproorg/sluice/internal/testkit"
)

const userAgent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"

// TestBoot starts each release named in SLUICE_LIBRECHAT_DIR (divided by
// colons) with the environment of this package on the embedded stores, and
// chats once.
func TestBoot(t *testing.T) {
	for _, r := range librechattest.Built(t, "go test ./internal/app/librechat -run TestBoot") {
		t.Run(r.Version, func(t *testing.T) { chatOnce(t, r) })
	}
}

func chatOnce(t *testing.T, r facts.Release) {
	w := newWorld(t, r)
	c := w.boot(t, true)
	c.login(t)
	conversation := c.ask(t, r.Design, "hello [llm tokens=20 every=20ms first=50ms]")
	w.finished(t)
	w.saved(t, conversation)
	if _, err := c.call("GET", "/api/prompts/groups?pageSize=10", nil); err != nil {
		t.Errorf("list of prompts: %v", err)
	}
	for _, f := range w.mongo.Findings() {
		if f.Effect == guard.Refused {
			t.Errorf("DocumentDB would refuse: %v", f)
		}
	}
	verified(t, r, c)
	t.Logf("connections of one environment: Mongo %+v, Redis %+v", w.mongo.Clients(), w.redis.Connections())
}

// world is the stores and the model around LibreChat.
type world struct {
	release facts.Release
	mongo   *mongo.Server
	redis   *redis.Server
	model   *llm.Server
	env     map[string]string
}

func newWorld(t *testing.T, r facts.Release) *world {
	t.Helper()
	w := &world{release: r}
	var err error
	if w.mongo, err = mongo.Start(t.Context(), mongo.Config{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.mongo.Close() })
	if w.redis, err = redis.Start(redis.Config{Password: "rehearsal"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.redis.Close() })
	if w.model, err = llm.Start("", llm.Config{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.model.Close() })
	if w.env, err = facts.NewSecrets(rand.Reader); err != nil {
		t.Fatal(err)
	}
	for k, v := range facts.Rehearsal() {
		w.env[k] = v
	}
	return w
}

// boot starts one process and waits until it is ready, as the bootstrap does.
func (w *world) boot(t *testing.T, first bool) *client {
	t.Helper()
	yaml, err := facts.RehearsalConfig(w.model.URL(), false)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "librechat.yaml")
	if err := os.WriteFile(file, yaml, 0o644); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	env := w.release.Env(facts.Stores{PublicURL: "http://127.0.0.1:" + port, MongoURI: w.mongo.URI("LibreChat", "env-1"),
		RedisURI: w.redis.URI(), ConfigPath: file, Config: yaml, FirstBoot: first})
	for k, v := range w.env {
		env[k] = v
	}
	if err := w.release.Check(env); err != nil {
		t.Fatal(err)
	}
	env["PORT"], env["LIBRECHAT_LOG_DIR"] = port, dir
	p := start(t, w.release, dir, env)
	p.ready(t, "http://127.0.0.1:"+port)
	return &client{base: "http://127.0.0.1:" + port}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// process is a LibreChat whose output is kept.
type process struct {
	release facts.Release
	pid     int
	mu      sync.Mutex
	output  bytes.Buffer
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.Write(b)
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

func start(t *testing.T, r facts.Release, dir string, env map[string]string) *process {
	t.Helper()
	p := &process{release: r}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, r.Command()[0], r.Command()[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, p, p
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.pid = cmd.Process.Pid
	t.Cleanup(func() {
		cancel()
		cmd.Wait()
		if t.Failed() {
			text := p.text()
			t.Logf("output of LibreChat:\n%s", text[max(0, len(text)-6000):])
		}
	})
	return p
}

func (p *process) ready(t *testing.T, base string) {
	t.Helper()
	line := regexp.MustCompile(p.release.ReadyLog)
	began := time.Now()
	testkit.Wait(t, 3*time.Minute, "LibreChat to be ready", func() (string, bool) {
		resp, err := http.Get(base + p.release.ReadyPath())
		if err != nil {
			return err.Error(), false
		}
		resp.Body.Close()
		return resp.Status + ", and in its log:\n" + p.text(), resp.StatusCode == 200 && line.MatchString(p.text())
	})
	t.Logf("ready after %v%s", time.Since(began).Round(10*time.Millisecond), p.spent())
}

// spent is what the process has taken of the machine, where /proc tells: a busy machine
// makes a start long, and leaves its processor time as it is.
func (p *process) spent() string {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	if len(fields) < 22 {
		return ""
	}
	number := func(field int) int { n, _ := strconv.Atoi(fields[field]); return n }
	const ticks, page = 100, 4 << 10 // of a second, and bytes, on Linux for amd64
	return fmt.Sprintf(", %.1f s of a processor, %d MB", float64(number(11)+number(12))/ticks, number(21)*page/1e6)
}

// client is a browser with a session.
type client struct{ base, token string }

func (c *client) open(method, path string, body any) (*http.Response, error) {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, c.base+path, in)
	if err != nil {
		return nil, err
	}
	req.Close = true // Node closes idle connections after 5 s, and a POST that meets this is lost
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err == nil && resp.StatusCode != 200 {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		resp.Body.Close()
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, b)
	}
	return resp, err
}

func (c *client) call(method, path string, body any) (map[string]any, error) {
	resp, err := c.open(method, path, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var v map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return v, nil
}

func (c *client) login(t *testing.T) {
	t.Helper()
	user := map[string]any{"name": "Ann", "username": "ann", "email": "ann@example.com", "password": "correct horse", "confirm_password": "correct horse"}
	if _, err := c.call("POST", "/api/auth/register", user); err != nil {
		t.Fatal(err)
	}
	got, err := c.call("POST", "/api/auth/login", map[string]any{"email": user["email"], "password": user["password"]})
	if err != nil {
		t.Fatal(err)
	}
	c.token, _ = got["token"].(string)
}

// post asks a question and returns the answer to the POST, which is the stream
// or its name.
func (c *client) post(t *testing.T, question string) *http.Response {
	t.Helper()
	resp, err := c.open("POST", "/api/agents/chat/"+facts.StubEndpoint, map[string]any{"text": question, "sender": "User",
		"isCreatedByUser": true, "parentMessageId": "00000000-0000-0000-0000-000000000000", "messageId": rand.Text(), "conversationId": nil,
		"endpoint": facts.StubEndpoint, "endpointType": "custom", "model": facts.StubModel, "ephemeralAgent": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// ask chats once and returns the conversation's id.
func (c *client) ask(t *testing.T, d facts.Design, question string) string {
	t.Helper()
	resp := c.post(t, question)
	if d == facts.GeneratesAfterPost {
		var started struct{ StreamID string }
		err := json.NewDecoder(resp.Body).Decode(&started)
		resp.Body.Close()
		if err != nil || started.StreamID == "" {
			t.Fatalf("the POST gave no stream: %v", err)
		}
		if resp, err = c.open("GET", "/api/agents/chat/stream/"+started.StreamID, nil); err != nil {
			t.Fatal(err)
		}
	}
	defer resp.Body.Close()
	for in := newEvents(resp.Body); ; {
		var e struct {
			Final        bool
			Conversation struct{ ConversationID string }
		}
		if err := in.next(&e); err != nil {
			t.Fatalf("the stream ended without a final event: %v", err)
		}
		if e.Final {
			return e.Conversation.ConversationID
		}
	}
}

// events reads the JSON data of server-sent events.
type events struct{ lines *bufio.Scanner }

func newEvents(r io.Reader) events {
	e := events{bufio.NewScanner(r)}
	e.lines.Buffer(nil, 1<<20)
	return e
}

func (e events) next(v any) error {
	for e.lines.Scan() {
		if data, ok := strings.CutPrefix(e.lines.Text(), "data: "); ok {
			return json.Unmarshal([]byte(data), v)
		}
	}
	if err := e.lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

// settled waits until the process has its stores back.
func (c *client) settled(t *testing.T) {
	t.Helper()
	testkit.Wait(t, 20*time.Second, "an answer after a restart of its stores", func() (string, bool) {
		_, err := c.call("GET", "/api/convos", nil)
		return fmt.Sprint(err), err == nil
	})
}

// finished waits for the answer and the title.
func (w *world) finished(t *testing.T) {
	t.Helper()
	testkit.Wait(t, 15*time.Second, "one finished answer and one title of the model", func() (string, bool) {
		var answers, titles int
		for _, q := range w.model.Requests() {
			if q.Outcome == llm.Finished && q.Title {
				titles++
			} else if q.Outcome == llm.Finished {
				answers++
			}
		}
		return fmt.Sprintf("%d answers and %d titles", answers, titles), answers == 1 && titles == 1
	})
}

// saved looks for the answer and the title in the database.
func (w *world) saved(t *testing.T, conversation string) {
	t.Helper()
	c, err := driver.Connect(options.Client().ApplyURI(w.mongo.URI("LibreChat", "test")))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Disconnect(context.Background())
	db := c.Database("LibreChat")
	var answer string
	for _, q := range w.model.Requests() {
		if !q.Title {
			answer = q.Answer
		}
	}
	testkit.Wait(t, 10*time.Second, fmt.Sprintf("the answer %q and a title in the database", answer), func() (string, bool) {
		var message, convo bson.Raw
		message, _ = db.Collection("messages").FindOne(t.Context(), bson.D{{Key: "conversationId", Value: conversation}, {Key: "isCreatedByUser", Value: false}}).Raw()
		convo, _ = db.Collection("conversations").FindOne(t.Context(), bson.D{{Key: "conversationId", Value: conversation}}).Raw()
		title, _ := convo.Lookup("title").StringValueOK()
		return fmt.Sprintf("title %q and message %s", title, message),
			strings.Contains(message.String(), strings.TrimSpace(answer)) && title != "" && title != "New Chat"
	})
}
