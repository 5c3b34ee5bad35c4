package clients

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/testkit"
)

var update = flag.Bool("update", false, "write testdata/rapid.txt from the RIE in SLUICE_RIE")

const (
	probeVariable = "TEST_PROBE"
	recorded      = "testdata/rapid.txt"
)

// TestRapid holds the emulator's answers to a runtime and its extensions against those
// of rapid, which were recorded in testdata/rapid.txt.
func TestRapid(t *testing.T) {
	if *update {
		if err := os.WriteFile(recorded, []byte(rapid(t)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(recorded)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, lambda.Process{Command: []string{self}, Env: []string{probeVariable + "=1"}})
	var got string
	for range invocations {
		got, _ = f.invoke(t, event{})
	}
	if m := account.FindAllStringSubmatch(got, -1); len(m) != 1 || m[0][1] != "123456789012" {
		t.Errorf("account in the answer to the extension that accepts it: %q", m)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(answersOf(got), "\n")); diff != "" {
		t.Errorf("rapid -, emulator +\n%s", diff)
	}
}

// TestRIE holds what was recorded against the RIE that is here.
func TestRIE(t *testing.T) {
	want, err := os.ReadFile(recorded)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(rapid(t), "\n")); diff != "" {
		t.Errorf("recorded -, RIE +\n%s", diff)
	}
}

// rapid runs the probe in Amazon's RIE.
func rapid(t *testing.T) string {
	rie := os.Getenv("SLUICE_RIE")
	if rie == "" {
		t.Skip("SLUICE_RIE is not set: git clone https://github.com/aws/aws-lambda-runtime-interface-emulator, there: go build ./cmd/aws-lambda-rie, and set it to the program")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	invoke, api := freeAddress(t), freeAddress(t)
	var log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), rie, "--runtime-interface-emulator-address", invoke, "--runtime-api-address", api, self)
	cmd.Env = append(os.Environ(), probeVariable+"=1", "AWS_LAMBDA_FUNCTION_NAME=client", "AWS_LAMBDA_FUNCTION_HANDLER=function.handler")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	var answer []byte
	for range invocations {
		testkit.Wait(t, 20*time.Second, "an answer of the RIE", func() (string, bool) {
			resp, err := http.Post("http://"+invoke+"/2015-03-31/functions/function/invocations", "application/json", strings.NewReader("{}"))
			if err != nil {
				return err.Error(), false
			}
			defer resp.Body.Close()
			answer, err = io.ReadAll(resp.Body)
			return fmt.Sprint(err), err == nil
		})
	}
	return answersOf(string(answer))
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

var (
	identifier = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	arn        = regexp.MustCompile(`arn:aws:lambda:[\w:-]*`)
	account    = regexp.MustCompile(`\\"accountId\\":\\"(\d*)\\",`)
	goType     = regexp.MustCompile(`(json: cannot unmarshal \w+ into Go ).*(\\",\\"errorType)`)
	number     = regexp.MustCompile(`[0-9]{13}`)
	tracing    = regexp.MustCompile(`,\\"tracing\\":{[^}]*}`)
)

// answersOf makes what differs by its nature alike.
func answersOf(report string) string {
	for pattern, name := range map[*regexp.Regexp]string{
		identifier: "ID", arn: "ARN", goType: "${1}TYPE$2", number: "MILLISECONDS",
		account: "", // of nobody in the RIE
		tracing: "", // the RIE has a trace only where the invoker brings one
	} {
		report = pattern.ReplaceAllString(report, name)
	}
	return report
}

// probe is a runtime that asks for what no client would, and answers its last
// invocation with what it got.
type probe struct {
	base   string
	id     string // of the invocation
	report strings.Builder
}

// invocations is how many the probe takes.
const invocations = 4

func runProbe() {
	p := &probe{base: "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API")}
	p.init()
	for i := range invocations {
		p.begin()
		switch i {
		case 0:
			p.running()
		case 1:
			p.failing()
		case 2:
			p.large()
		case 3:
			x := <-events
			p.ask("POST", p.invocation("response"), p.report.String())
			p.waiting("Lambda-Extension-Identifier: " + x.id)
		}
	}
	p.begin()
}

func (p *probe) invocation(what string) string {
	return "/2018-06-01/runtime/invocation/" + p.id + "/" + what
}

// ask sends a request and notes the answer. A header is a line before an empty one.
func (p *probe) ask(method, path, body string, headers ...string) *http.Response {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, p.base+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	fmt.Fprintf(&p.report, "%s %s %.80q %q\n", method, path, body, headers)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Fprintf(&p.report, "    %T\n", err)
		return nil
	}
	defer resp.Body.Close()
	got, _ := io.ReadAll(resp.Body)
	fmt.Fprintf(&p.report, "    %d %s %q\n", resp.StatusCode, resp.Header.Get("Content-Type"), got)
	for _, name := range []string{"Allow", "Lambda-Extension-Identifier", "Lambda-Extension-Event-Identifier", "Lambda-Runtime-Invoked-Function-Arn", "Lambda-Runtime-Aws-Request-Id", "Lambda-Runtime-Deadline-Ms"} {
		if values := resp.Header.Values(name); len(values) > 0 {
			fmt.Fprintf(&p.report, "    %s: %s\n", name, values)
		}
	}
	return resp
}

func (p *probe) begin() {
	resp, err := http.Get(p.base + "/2018-06-01/runtime/invocation/next")
	if err != nil {
		os.Exit(9)
	}
	resp.Body.Close()
	p.id = resp.Header.Get("Lambda-Runtime-Aws-Request-Id")
}

const extensions = "/2020-01-01/extension/"

func (p *probe) init() {
	for _, r := range []string{
		"GET /2018-06-01/ping", "HEAD /2018-06-01/ping", "POST /2018-06-01/ping", "GET /2018-06-01/nothing", "GET /",
		"HEAD /2018-06-01/runtime/invocation/next", "DELETE /2018-06-01/runtime/invocation/next", "POST /2018-06-01/runtime/invocation/next",
		"POST /2018-06-01/runtime/invocation/nobody/response", "POST /2018-06-01/runtime/invocation/nobody/error", "GET /2018-06-01/runtime/invocation/nobody/response",
		"GET /2018-06-01/runtime/restore/next", "POST /2018-06-01/runtime/restore/error", "GET /2021-04-23/credentials",
		"PUT /2020-08-15/logs", "GET /2022-07-01/telemetry", "HEAD /2020-01-01/extension/event/next",
	} {
		method, path, _ := strings.Cut(r, " ")
		p.ask(method, path, "")
	}
	p.ask("POST", extensions+"register", `{"events":[]}`)
	for _, body := range []string{"", "{", `[]`, `{"events":"INVOKE"}`, `{"events":["OTHER"]}`, `{"events":["SHUTDOWN"]}`, `{"configurationKeys":["a"]}`} {
		p.ask("POST", extensions+"register", body, "Lambda-Extension-Name: bad")
	}
	resp := p.ask("POST", extensions+"register", `{"events":["INVOKE"]}`, "Lambda-Extension-Name: first", "Lambda-Extension-Accept-Feature: other, accountId")
	p.ask("POST", extensions+"register", `{"events":[]}`, "Lambda-Extension-Name: first")
	first := "Lambda-Extension-Identifier: " + resp.Header.Get("Lambda-Extension-Identifier")
	unknown := "Lambda-Extension-Identifier: 01234567-89ab-cdef-0123-456789abcdef"
	kind := "Lambda-Extension-Function-Error-Type: Extension.Bad"
	for _, r := range []string{"GET event/next", "POST init/error", "POST exit/error"} {
		method, path, _ := strings.Cut(r, " ")
		p.ask(method, extensions+path, "")
		p.ask(method, extensions+path, "", "Lambda-Extension-Identifier: nonsense")
		p.ask(method, extensions+path, "", unknown)
		p.ask(method, extensions+path, "", unknown, kind)
		if method == "POST" {
			p.ask(method, extensions+path, "", first)
		}
	}
	p.waiting(first)
	for i := range 9 { // ten are allowed
		resp = p.ask("POST", extensions+"register", `{}`, fmt.Sprintf("Lambda-Extension-Name: more-%d", i))
		p.waiting("Lambda-Extension-Identifier: " + resp.Header.Get("Lambda-Extension-Identifier"))
	}
	p.ask("POST", extensions+"register", `{}`, "Lambda-Extension-Name: too-many")
	p.ask("GET", extensions+"event/next", "", first) // it asks already
	p.ask("POST", extensions+"init/error", "", first, kind)
}

// events are what the waiting extensions got.
var events = make(chan *probe, 10)

// waiting asks for an event in the background, and returns once that has surely begun.
func (p *probe) waiting(identifier string) {
	x := &probe{base: p.base}
	go func() {
		req, _ := http.NewRequest("GET", p.base+extensions+"event/next", nil)
		name, value, _ := strings.Cut(identifier, ": ")
		req.Header.Set(name, value)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			os.Exit(9)
		}
		defer resp.Body.Close()
		got, _ := io.ReadAll(resp.Body)
		fmt.Fprintf(&x.report, "event\n    %d %s %q\n    Lambda-Extension-Event-Identifier: %s\n", resp.StatusCode, resp.Header.Get("Content-Type"), got, resp.Header.Values("Lambda-Extension-Event-Identifier"))
		x.id = value
		events <- x
	}()
	time.Sleep(50 * time.Millisecond) // nothing tells that a request waits
}

func (p *probe) running() {
	x := <-events
	p.report.WriteString(x.report.String())
	first := "Lambda-Extension-Identifier: " + x.id
	p.ask("POST", extensions+"register", `{}`, "Lambda-Extension-Name: late")
	p.ask("POST", extensions+"register", `{}`, "Lambda-Extension-Name: first")
	p.ask("POST", extensions+"exit/error", "", first)
	p.ask("POST", extensions+"init/error", "", first, "Lambda-Extension-Function-Error-Type: Extension.Bad")
	p.ask("GET", "/2018-06-01/runtime/invocation/next", "") // the same again
	p.ask("HEAD", "/2018-06-01/runtime/invocation/next", "")
	p.ask("POST", "/2018-06-01/runtime/init/error", "{}")
	p.ask("POST", "/2018-06-01/runtime/invocation/01234567-89ab-cdef-0123-456789abcdef/response", "{}")
	p.ask("POST", p.invocation("response"), "{}")
	p.ask("POST", p.invocation("response"), "{}")
	p.ask("POST", p.invocation("error"), "{}")
	p.ask("POST", "/2018-06-01/runtime/init/error", "{}")
	p.waiting(first)
}

func (p *probe) failing() {
	x := <-events
	p.ask("POST", p.invocation("error"), `{"errorMessage":"m","errorType":"t","stackTrace":["s"],"errorCause":{}}`,
		"Content-Type: application/vnd.aws.lambda.error.cause+json", "Lambda-Runtime-Function-Error-Type: Function.Bad")
	p.ask("POST", p.invocation("response"), "{}")
	p.waiting("Lambda-Extension-Identifier: " + x.id)
}

func (p *probe) large() {
	x := <-events
	p.ask("POST", p.invocation("response"), strings.Repeat("x", 6<<20+101))
	p.ask("POST", p.invocation("error"), "{}")
	p.waiting("Lambda-Extension-Identifier: " + x.id)
}
