// Package testfunction is a Lambda function for tests: a custom runtime whose
// events say what it does (answer, stream, fail, crash, sleep, take memory, call
// the Runtime API out of turn). It is a reading of the Runtime and Extensions APIs
// of its own, apart from the bootstrap's, and runs on AWS as it runs under the
// emulator: build ./bootstrap for linux, zip it as `bootstrap`, and create a
// function of runtime provided.al2023 from it.
package testfunction

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Event is what a test asks of the function. Do names the deed; the other fields
// are for the deeds that need them.
type Event struct {
	Do     string `json:"do,omitempty"`
	Text   string `json:"text,omitempty"`
	N      int    `json:"n,omitempty"`
	Millis int    `json:"ms,omitempty"`
	After  int    `json:"after,omitempty"` // milliseconds between the response and next
	Path   string `json:"path,omitempty"`
}

type runtimeClient struct {
	base, id string
	http     http.Client
}

// Run is a custom runtime: it asks for events and does what they say, for ever.
// TEST_INIT, TEST_TERM, TEST_TICKS, TEST_CONNECT, TEST_LISTEN, TEST_GHOST and TEST_SNAPSTART
// choose how it starts and what it does beside.
func Run() {
	mode := os.Getenv("TEST_INIT")
	c := &runtimeClient{base: "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/"}
	fmt.Println("runtime starts")
	switch {
	case mode == "exit":
		os.Exit(7)
	case mode == "error":
		c.post("init/error", "Runtime.NoSuchThing", `{"errorType":"Runtime.NoSuchThing","errorMessage":"the app did not start"}`)
		os.Exit(1)
	case strings.HasPrefix(mode, "sleep "):
		d, _ := time.ParseDuration(mode[6:])
		time.Sleep(d)
	case strings.HasPrefix(mode, "once "): // slow for the first time in this /tmp
		if _, err := os.Stat(own("/tmp/started")); err != nil {
			_ = os.WriteFile(own("/tmp/started"), nil, 0o600)
			d, _ := time.ParseDuration(mode[5:])
			time.Sleep(d)
		}
	case mode == "internal":
		c.register("inside")
	}
	if os.Getenv("TEST_TERM") != "" {
		onTerm(os.Getenv("TEST_TERM"))
	}
	if address := os.Getenv("TEST_CONNECT"); address != "" {
		early, _ = net.Dial("tcp", address)
	}
	if address := os.Getenv("TEST_LISTEN"); address != "" {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		defer listener.Close()
	}
	if n, _ := strconv.Atoi(os.Getenv("TEST_GHOST")); n > 0 { // a file of so many bytes that is open and has no name
		ghost, err := os.CreateTemp("", "ghost")
		if err == nil {
			_, err = ghost.Write(bytes.Repeat([]byte("x"), n))
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		_ = os.Remove(ghost.Name())
		defer ghost.Close()
	}
	if os.Getenv("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start" {
		c.snapStart(os.Getenv("TEST_SNAPSTART"))
	}
	if p := os.Getenv("TEST_TICKS"); p != "" {
		go tick(p)
	}
	for {
		c.serve()
	}
}

// early is a connection from before a snapshot.
var early net.Conn

// made is what a function makes once, at its start.
var made = rand.Text()

// snapStart is what a runtime does between its start and its first event with SnapStart.
func (c *runtimeClient) snapStart(mode string) {
	fail := func(path, kind string) {
		resp := c.post(path, kind, `{"errorType":"`+kind+`","errorMessage":"the hook failed","stackTrace":[]}`)
		fmt.Println("status", resp.StatusCode)
		os.Exit(1)
	}
	switch mode {
	case "none":
		return
	case "before-error":
		fail("init/error", "Runtime.BeforeSnapshotError")
	}
	resp, err := c.http.Get(c.base + "restore/next")
	for i := 0; i < 50 && err != nil; i++ { // a clone has lost the connection
		time.Sleep(10 * time.Millisecond)
		resp, err = c.http.Get(c.base + "restore/next")
	}
	if err != nil {
		fmt.Println("restore/next", err)
		os.Exit(9)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	fmt.Printf("restored with status %d and %d bytes\n", resp.StatusCode, len(body))
	switch mode {
	case "after-error":
		fail("restore/error", "Runtime.AfterRestoreError")
	case "after-exit":
		os.Exit(4)
	case "after-hang":
		select {}
	}
}

// credentials asks the container's endpoint with a token.
func credentials(token string) string {
	req, _ := http.NewRequest("GET", os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI"), nil)
	req.Header.Set("Authorization", token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	return fmt.Sprintf("%d %s", resp.StatusCode, body)
}

// afterRestore says what became of the connection.
func afterRestore() string {
	if early == nil {
		return "no connection"
	}
	_ = early.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	_, err := early.Read(make([]byte, 1))
	return fmt.Sprint(err)
}

// own leads /tmp to TMPDIR where a machine cannot give an environment a /tmp.
func own(path string) string {
	if rest, ok := strings.CutPrefix(path, "/tmp/"); ok {
		return os.TempDir() + "/" + rest
	}
	return path
}

// onTerm appends to a file every 10 ms once SIGTERM has come.
func onTerm(path string) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGTERM)
	go func() {
		<-ch
		tick(path)
	}()
}

func tick(path string) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			fmt.Println(err)
			os.Exit(9)
		}
		fmt.Fprintln(f, time.Now().UnixNano())
		f.Close()
		time.Sleep(10 * time.Millisecond)
	}
}

func (c *runtimeClient) register(name string) {
	base := strings.Replace(c.base, "2018-06-01/runtime/", "2020-01-01/extension/", 1)
	req, _ := http.NewRequest("POST", base+"register", strings.NewReader(`{"events":[]}`))
	req.Header.Set("Lambda-Extension-Name", name)
	resp, err := c.http.Do(req)
	if err != nil {
		fmt.Println(err)
		os.Exit(9)
	}
	id := resp.Header.Get("Lambda-Extension-Identifier")
	resp.Body.Close()
	go func() {
		req, _ := http.NewRequest("GET", base+"event/next", nil)
		req.Header.Set("Lambda-Extension-Identifier", id)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
	}()
}

func (c *runtimeClient) post(path, kind, body string) *http.Response {
	req, _ := http.NewRequest("POST", c.base+path, strings.NewReader(body))
	if kind != "" {
		req.Header.Set("Lambda-Runtime-Function-Error-Type", kind)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		fmt.Println("post", path, err)
		os.Exit(9)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp
}

func (c *runtimeClient) serve() {
	resp, err := c.http.Get(c.base + "invocation/next")
	if err != nil || resp.StatusCode != 200 {
		fmt.Println("next", err)
		os.Exit(9)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	c.id = resp.Header.Get("Lambda-Runtime-Aws-Request-Id")
	var e Event
	_ = json.Unmarshal(body, &e)
	c.handle(e, resp.Header, body)
	time.Sleep(time.Duration(e.After) * time.Millisecond)
}

func (c *runtimeClient) handle(e Event, h http.Header, body []byte) {
	respond := func(s string) { fmt.Println("status", c.post("invocation/"+c.id+"/response", "", s).StatusCode) }
	switch e.Do {
	case "headers":
		doc, _ := json.Marshal(h)
		respond(string(doc))
	case "env":
		time.Sleep(time.Duration(e.Millis) * time.Millisecond)
		doc, _ := json.Marshal(os.Environ())
		respond(string(doc))
	case "where":
		host, _ := os.ReadFile("/tmp/id")
		respond(string(host))
	case "made":
		respond(fmt.Sprintf("%q", made))
	case "early":
		respond(fmt.Sprintf("%q", afterRestore()))
	case "credentials":
		respond(fmt.Sprintf("%q", credentials(os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")+e.Text)))
	case "sleep":
		time.Sleep(time.Duration(e.Millis) * time.Millisecond)
		respond(`"slept"`)
	case "stream", "stream-error", "stream-exit", "stream-hang":
		c.stream(e)
	case "connect": // to the address in Text, from before the response until the next event
		conn, err := net.Dial("tcp", e.Text)
		if err != nil {
			respond(fmt.Sprintf("%q", err))
			return
		}
		time.Sleep(time.Duration(e.Millis) * time.Millisecond)
		respond("null")
		time.AfterFunc(time.Duration(e.After)*time.Millisecond, func() { conn.Close() })
	case "big": // a buffered answer of N bytes
		respond(strings.Repeat("x", e.N))
	case "error":
		c.post("invocation/"+c.id+"/error", "Function.Bad", `{"errorType":"Bad","errorMessage":"no"}`)
	case "exit":
		os.Exit(e.N)
	case "signal":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "answer-exit":
		respond(`"done"`)
		os.Exit(e.N)
	case "memory":
		hog := bytes.Repeat([]byte{1}, e.N<<20)
		time.Sleep(5 * time.Second)
		respond(fmt.Sprint(len(hog)))
	case "write":
		respond(fmt.Sprintf("%q", fmt.Sprint(os.WriteFile(own(e.Path), []byte("x"), 0o600))))
	case "read":
		b, err := os.ReadFile(own(e.Path))
		respond(fmt.Sprintf("%q", fmt.Sprint(len(b), err != nil)))
	case "task":
		root := os.Getenv("LAMBDA_TASK_ROOT")
		dir, _ := os.Getwd()
		file, _ := os.ReadFile(root + "/of-the-function")
		doc, _ := json.Marshal(map[string]string{"Root": root, "Dir": dir, "File": string(file)})
		respond(string(doc))
	case "child": // one that leaves the process group and ticks
		cmd := exec.Command("setsid", "sh", "-c", "while :; do echo x >>"+e.Path+"; sleep 0.01; done")
		_ = cmd.Start()
		respond(fmt.Sprint(cmd.Process.Pid))
	case "orphan": // a process whose parent ends before it
		_ = exec.Command("sh", "-c", "sleep 0.01 & exit").Run()
		respond("null")
	case "zombies":
		out, _ := exec.Command("sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z '").Output()
		respond(strings.TrimSpace(string(out)))
	case "raw": // METHOD PATH sent to the Runtime API while the invocation is open
		method, path, _ := strings.Cut(e.Text, " ")
		path = strings.ReplaceAll(path, "ID", c.id)
		req, _ := http.NewRequest(method, strings.Replace(c.base, "2018-06-01/runtime/", "", 1)+path, nil)
		resp, err := c.http.Do(req)
		if err != nil {
			respond(err.Error())
			return
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode == 202 && strings.Contains(path, c.id) {
			return
		}
		respond(fmt.Sprintf("%d %s", resp.StatusCode, b))
	case "twice":
		respond("1")
		respond("2")
	case "truncated": // half of an answer, after which the runtime goes on
		c.truncated(e)
	case "mode":
		req, _ := http.NewRequest("POST", c.base+"invocation/"+c.id+"/response", strings.NewReader("x"))
		req.Header.Set("Lambda-Runtime-Function-Response-Mode", "buffered")
		resp, _ := c.http.Do(req)
		fmt.Println("status", resp.StatusCode)
		resp.Body.Close()
	default:
		respond(string(body))
	}
}

func (c *runtimeClient) stream(e Event) {
	r, w := io.Pipe()
	req, _ := http.NewRequest("POST", c.base+"invocation/"+c.id+"/response", r)
	req.Header.Set("Lambda-Runtime-Function-Response-Mode", "streaming")
	req.Header.Set("Content-Type", "application/vnd.awslambda.http-integration-response")
	req.Trailer = http.Header{"Lambda-Runtime-Function-Error-Type": nil, "Lambda-Runtime-Function-Error-Body": nil}
	go func() {
		for i := range e.N {
			fmt.Fprintf(w, "%d %s", i, e.Text)
			time.Sleep(time.Duration(e.Millis) * time.Millisecond)
		}
		switch e.Do {
		case "stream-exit":
			os.Exit(3)
		case "stream-hang":
			select {}
		case "stream-error":
			req.Trailer.Set("Lambda-Runtime-Function-Error-Type", "Function.Broken")
			req.Trailer.Set("Lambda-Runtime-Function-Error-Body", base64.StdEncoding.EncodeToString([]byte(`{"errorMessage":"in the middle"}`)))
		}
		w.Close()
	}()
	resp, err := c.http.Do(req)
	if err != nil {
		fmt.Println("stream", err)
		return
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	fmt.Println("status", resp.StatusCode)
}

// truncated breaks its answer off by closing the connection in one direction, and
// prints what it gets in the other.
func (c *runtimeClient) truncated(e Event) {
	address := os.Getenv("AWS_LAMBDA_RUNTIME_API")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		fmt.Println(err)
		os.Exit(9)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\n%s", c.id, address, e.Text)
	_ = conn.(*net.TCPConn).CloseWrite()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		fmt.Println("truncated", err)
		return
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	fmt.Printf("status %d %s", resp.StatusCode, b)
}

// listen prints what the Telemetry API brings, an event a line.
func listen() {
	fmt.Println(http.ListenAndServe("sandbox.localdomain:4243", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var events []json.RawMessage
		_ = json.NewDecoder(r.Body).Decode(&events)
		for _, e := range events {
			fmt.Printf("telemetry event %s\n", e)
		}
	})))
}

// RunExtension is an external extension named outside: it registers, prints its
// events and ends 200 ms after it was told to shut down.
func RunExtension() {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2020-01-01/extension/"
	do := func(method, path, id, body string) *http.Response {
		req, _ := http.NewRequest(method, base+path, strings.NewReader(body))
		req.Header.Set("Lambda-Extension-Name", "outside")
		req.Header.Set("Lambda-Extension-Identifier", id)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			os.Exit(9)
		}
		return resp
	}
	resp := do("POST", "register", "", `{"events":["INVOKE","SHUTDOWN"]}`)
	id := resp.Header.Get("Lambda-Extension-Identifier")
	if request := os.Getenv("TEST_TELEMETRY"); request != "" {
		go listen()
		resp := do("PUT", "../../2022-07-01/telemetry", id, request)
		b, _ := io.ReadAll(resp.Body)
		fmt.Printf("telemetry %d %s\n", resp.StatusCode, b)
	}
	for {
		resp := do("GET", "event/next", id, "")
		line, _ := bufio.NewReader(resp.Body).ReadString('\n')
		resp.Body.Close()
		fmt.Println("extension got", strings.TrimSpace(line))
		if strings.Contains(line, "SHUTDOWN") {
			time.Sleep(200 * time.Millisecond)
			fmt.Println("extension ends")
			return
		}
	}
}
