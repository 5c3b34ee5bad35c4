package bootstrap_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/testkit"
)

// addressSpace is the limit under which the bootstrap runs here, in kB. Go reserves more than 1 GB of addresses at its start,
// which no memory stands behind.
const addressSpace = 2_500_000

// limited starts a command under the limit.
var limited = []string{"sh", "-c", "ulimit -v " + strconv.Itoa(addressSpace) + `; exec "$@"`, "sh"}

// TestNoAnswerFillsTheMemory runs the bootstrap under a limit that its memory cannot pass, behind an app that never ends what it says.
func TestNoAnswerFillsTheMemory(t *testing.T) {
	if len(raceFlags) > 0 {
		t.Skip("the race detector takes more addresses than the limit; run without -race: go test ./internal/bootstrap")
	}
	w := startBy(t, limited, goApp("bin"))
	first := w.do(get("/pid")).body
	begin := "HTTP/1.1 200 OK\r\n"
	for name, test := range map[string]struct{ head, piece, want string }{
		"fields":            {begin, "A: b\r\n", "passes 65536 bytes"},
		"one line":          {begin + "X: ", "x", "passes 65536 bytes"},
		"status line":       {"", "HTTP/1.1 200 ", "passes 65536 bytes"},
		"informational":     {"", "HTTP/1.1 103 Early Hints\r\n\r\n", "more than 8 informational"},
		"large early hints": {"", "HTTP/1.1 103 Early Hints\r\nLink: " + strings.Repeat("x", 9000) + "\r\n\r\n", "passes 65536 bytes"},
	} {
		got := w.do(get(fmt.Sprintf("/endless?head=%x&piece=%x", test.head, test.piece)))
		if got.status != 502 || !strings.Contains(got.body, test.want) {
			t.Errorf("%s: status %d, %s; want %s", name, got.status, got.body, test.want)
		}
	}
	chunked := begin + "Transfer-Encoding: chunked\r\n\r\n"
	for name, test := range map[string]struct{ head, piece string }{
		"trailers":   {chunked + "0\r\n", "A: b\r\n"},
		"chunk size": {chunked, "0"},
	} {
		got := w.do(get(fmt.Sprintf("/endless?head=%x&piece=%x", test.head, test.piece)))
		if got.status != 200 || got.broken() != "Sluice.AppBroke" {
			t.Errorf("%s: status %d, broken %q", name, got.status, got.broken())
		}
	}
	if got := w.doFor(get("/pid"), 10*time.Second); got.body != first {
		t.Errorf("the app's process was %s and is %s", first, got.body)
	}
}

// TestNoEventFillsTheMemory: the same before a Runtime API that never ends what it says. The environment ends, with the reason.
func TestNoEventFillsTheMemory(t *testing.T) {
	if len(raceFlags) > 0 {
		t.Skip("the race detector takes more addresses than the limit; run without -race: go test ./internal/bootstrap")
	}
	for name, test := range map[string]struct{ head, piece, want string }{
		"fields": {"HTTP/1.1 200 OK\r\n", "A: b\r\n", "passes 65536 bytes"},
		"line":   {"HTTP/1.1 200 OK\r\nX: ", "x", "passes 65536 bytes"},
		"event":  {"HTTP/1.1 200 OK\r\nLambda-Runtime-Deadline-Ms: 1\r\n\r\n", "x", "event of more than 16777216 bytes"},
	} {
		address := testkit.Endless(t, test.head, test.piece)
		args := slices.Concat(limited, []string{build(t), "--"}, goApp("bin"))
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "AWS_LAMBDA_RUNTIME_API="+address.String(), "SLUICE_EXTENSION=false")
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), test.want) {
			t.Errorf("%s: %v, want %s:\n%.2000s", name, err, test.want, out)
		}
	}
}

// TestLargeEvent: an event that passes the limit fails alone; the environment and its app live on.
func TestLargeEvent(t *testing.T) {
	if len(raceFlags) > 0 {
		t.Skip("the race detector takes more addresses than the limit; run without -race: go test ./internal/bootstrap")
	}
	w := startBy(t, limited, goApp("bin"))
	first := w.do(get("/pid")).body
	for range 3 {
		inv := w.invoke(bytes.Repeat([]byte("x"), 17<<20), time.Minute)
		if inv.Failure == nil || inv.Failure.Type != "Sluice.EventTooLarge" || !strings.Contains(inv.Failure.Message, "17825792 bytes, more than 16777216") {
			t.Fatalf("it was answered with %+v", inv.Failure)
		}
	}
	if got := w.do(get("/pid")); got.body != first {
		t.Errorf("the app's process was %s and is %s", first, got.body)
	}
}

// TestNothingFetchedFillsTheMemory: the same at the cold start, before services and files that never end. Each is an init error that says so.
func TestNothingFetchedFillsTheMemory(t *testing.T) {
	if len(raceFlags) > 0 {
		t.Skip("the race detector takes more addresses than the limit; run without -race: go test ./internal/bootstrap")
	}
	bomb := gzipped(t, 1<<30)
	const jsonHead, secrets = "Content-Type: application/x-amz-json-1.1\r\n", "SLUICE_SECRETS=A=/a"
	ok, failed := "HTTP/1.1 200 OK\r\n", "HTTP/1.1 400 Bad Request\r\n"
	for name, test := range map[string]struct{ head, piece, setting, want string }{
		"SSM's answer":                  {ok + jsonHead + "\r\n{\"Parameters\":[{\"Name\":\"/a\",\"Value\":\"", "x", secrets, "larger than 1048576 bytes"},
		"SSM's error":                   {failed + jsonHead + "\r\n{\"message\":\"", "x", secrets, "larger than 1048576 bytes"},
		"a bomb":                        {ok + jsonHead + "Content-Encoding: gzip\r\n\r\n" + bomb, "", secrets, "larger than 1048576 bytes"},
		"a head":                        {ok, "A: b\r\n", secrets, "server response headers exceeded"},
		"one line":                      {ok + "A: ", "x", secrets, "server response headers exceeded"},
		"the parameter":                 {ok + jsonHead + "\r\n{\"Parameters\":[{\"Name\":\"/a\",\"Value\":\"", "x", "SLUICE_ENV_PARAMETER=/a", "larger than 1048576 bytes"},
		"the environment":               {ok + "\r\n", "A=x\n", "SLUICE_ENV_S3=s3://b/k", "larger than 1048576 bytes"},
		"the file":                      {ok + "\r\n", "a: x\n", "SLUICE_CONFIG_S3=s3://b/k", "larger than 4194304 bytes"},
		"S3's error":                    {failed + "\r\n<Error><Code>", "x", "SLUICE_CONFIG_S3=s3://b/k", "larger than 4259840 bytes"},
		"S3's bomb, which stays packed": {ok + "Content-Encoding: gzip\r\n\r\n" + bomb, "", "SLUICE_CONFIG_S3=s3://b/k", "is not valid"},
		"the replacements":              {ok + "Content-Length: 4000000\r\n\r\n", "a", "SLUICE_CONFIG_S3=s3://b/k\nSLUICE_CONFIG_REPLACE=a=" + strings.Repeat("b", 4000), "replaced 4000000 times, is larger than 4194304 bytes"},
		"the credentials":               {ok + "Content-Type: application/json\r\n\r\n{\"AccessKeyId\":\"", "x", secrets + "\nAWS_ACCESS_KEY_ID=\nAWS_CONTAINER_CREDENTIALS_FULL_URI=ENDPOINT", "larger than 65536 bytes"},
		"rules":                         {"", "", "SLUICE_RULES=/dev/zero", "/dev/zero is no regular file"},
		"large rules":                   {"", "", "SLUICE_RULES=" + sparse(t), "is larger than 33554432 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			url := "http://" + testkit.Endless(t, test.head, test.piece).String()
			env := []string{"AWS_REGION=eu-west-1", "SLUICE_ENDPOINT_URL_SSM=" + url, "SLUICE_ENDPOINT_URL_S3=" + url, "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=key", "SLUICE_CONFIG_PATH=" + t.TempDir() + "/config"}
			env = append(env, strings.Split(strings.ReplaceAll(test.setting, "ENDPOINT", url), "\n")...)
			w := startBy(t, limited, goApp("bin"), env...)
			w.wantEnd(20 * time.Second)
			if e := w.InitErrors(); len(e) != 1 || !strings.Contains(e[0].Message, test.want) {
				t.Errorf("init errors %.2000v, want %s", e, test.want)
			}
			if said := w.stderr.String(); strings.Contains(said, "goroutine ") {
				t.Errorf("it has panicked: %.2000s", said)
			}
		})
	}
}

// gzipped is a text of so many bytes, compressed.
func gzipped(t *testing.T, size int64) string {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	for piece := make([]byte, 1<<20); size > 0; size -= int64(len(piece)) {
		if _, err := w.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// sparse is a file of 8 GiB that takes no room.
func sparse(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rules.json")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 8<<30); err != nil {
		t.Fatal(err)
	}
	return file
}
