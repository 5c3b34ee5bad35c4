package rehearsal_test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/librechattest"
	"github.com/aproorg/sluice/internal/emulate/mongo/guard"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/rehearse/stores"
	"github.com/aproorg/sluice/internal/testdeps"
	"github.com/aproorg/sluice/internal/timeline"
)

// counter is an app that answers GET /api/counts/… and, after its response, POST
// /api/later by an aggregation in stages that DocumentDB refuses. It keeps one
// connection for all, as a driver's pool does.
const counter = `'use strict';
const http = require('http');
const net = require('net');
const at = new URL(process.env.MONGO_URI.replace('mongodb:', 'http:'));
const [hello, facet] = [%q, %q].map((text) => Buffer.from(text, 'base64'));
const waiting = [];
const mongo = net.connect(at.port, at.hostname).on('data', (reply) => waiting.shift()(reply.toString('latin1'))).on('error', () => {});
const ask = (message) => new Promise((resolve) => { waiting.push(resolve); mongo.write(message); });
ask(hello);
http.createServer(async (req, res) => {
  if (req.url.startsWith('/api/counts')) {
    const reply = await ask(facet);
    const refused = /Feature not supported: \S+/.exec(reply);
    return res.writeHead(refused ? 500 : 200).end(refused ? refused[0] : 'counted');
  }
  res.writeHead(200).end('OK');
  if (req.url.startsWith('/api/later')) await ask(facet);
}).listen(Number(process.env.PORT), process.env.HOST);
`

// message is a command in MongoDB's wire protocol (OP_MSG).
func message(t *testing.T, command bson.D) string {
	t.Helper()
	doc, err := bson.Marshal(command)
	if err != nil {
		t.Fatal(err)
	}
	m := binary.LittleEndian.AppendUint32(nil, uint32(16+4+1+len(doc)))
	for _, field := range []uint32{1, 0, 2013, 0} { // request, response to, opcode, flags
		m = binary.LittleEndian.AppendUint32(m, field)
	}
	return base64.StdEncoding.EncodeToString(append(append(m, 0), doc...))
}

// counting is a release whose server is the counter.
func counting(t *testing.T) facts.Release {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "sluice-counter-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := librechattest.StandIn(t, dir, facts.StreamsInPost)
	hello := bson.D{{Key: "hello", Value: 1}, {Key: "client", Value: bson.D{{Key: "application", Value: bson.D{{Key: "name", Value: "counter"}}}}}, {Key: "$db", Value: "admin"}}
	facet := bson.D{{Key: "aggregate", Value: "messages"}, {Key: "pipeline", Value: bson.A{bson.D{{Key: "$facet", Value: bson.D{}}}}}, {Key: "cursor", Value: bson.D{}}, {Key: "$db", Value: "LibreChat"}}
	program := fmt.Sprintf(counter, message(t, hello), message(t, facet))
	if err := os.WriteFile(filepath.Join(dir, "api", "server", "index.js"), []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestStrictRefuses: what DocumentDB refuses is an error for the app, which the
// page sees, and the report names the request.
func TestStrictRefuses(t *testing.T) {
	testdeps.Node(t)
	record := timeline.NewRecorder(0)
	w := startWith(t, counting(t), nil, stores.Config{Strict: true, Record: record.Record}, func(cfg *rehearse.Config) { cfg.Recorder = record })
	get := func(method, path string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), method, w.ViewerURL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(text)
	}
	for _, path := range []string{"/api/counts", "/api/counts/0b9d2f8e-6d3c-4b2e-9f63-5d8e2f1a7c44", "/api/counts/6740f5b1c2d3e4f5a6b7c8d9"} {
		if status, text := get(http.MethodGet, path); status != http.StatusInternalServerError || !strings.Contains(text, "$facet") {
			t.Errorf("%s: %d %q, want the database's refusal of $facet", path, status, text)
		}
	}
	get(http.MethodPost, "/api/later")
	w.rest(t, func() {})

	found := w.chat.Stores.Mongo.Findings()
	if len(found) != 1 || found[0].Feature != "$facet" || found[0].Collection != "messages" || found[0].Effect != guard.Refused {
		t.Fatalf("findings are %v, want one of $facet on messages", found)
	}
	var callers []string
	for _, c := range found[0].Callers {
		callers = append(callers, c.What)
		if c.Environment == "" || c.Request == "" {
			t.Errorf("%+v has no place on the timeline", c)
		}
	}
	if got := strings.Join(callers, ", "); got != "GET /api/counts, GET /api/counts/:id, POST /api/later" {
		t.Errorf("callers are %s", got)
	}
	events, _ := w.Recorder.Since(0)
	var findings int
	for _, e := range events {
		if e.Kind == timeline.Store && strings.Contains(e.Note, "aggregate on LibreChat.messages by counter from ") {
			findings++
		}
	}
	if findings != len(callers) {
		t.Errorf("the timeline tells %d times, want one for each of %d callers", findings, len(callers))
	}
}
