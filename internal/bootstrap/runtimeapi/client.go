// Package runtimeapi is a client of Lambda's Runtime API, version 2018-06-01: it asks for invocations, answers them, and
// reports errors.
//
// Why not aws-lambda-go's loop: its Start reads the environment and ends the process by log.Fatal, which would leave the app
// behind; it sends no init error, so that a failed start could not say why; it does not announce the streaming response
// mode; it ends the process when one response could not be sent, which costs the app's warm state; and it hands an event to a handler
// that streams through a JSON decoder only, which reads and copies a body of 6 MB once more.
// Its behaviours that custom runtimes share are kept, and tests run its client against the stub that tests this one.
//
// It leaves out what an event means (proxyevent) and what is done with it (relay).
//
// See https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html and
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html (response streaming).
package runtimeapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/httphead"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
)

const (
	version = "/2018-06-01/runtime/"
	// maxPayload bounds an event. Lambda's own limit is 6 MB; what is far above it comes from a broken peer, and a function of
	// 128 MB, the smallest, must be able to hold it.
	maxPayload = 16 << 20
	// maxAnswer bounds the body of any other answer, which is a status of some 100 bytes, in JSON.
	maxAnswer = 64 << 10
)

// Client talks to one Runtime API. It is safe for concurrent use.
type Client struct {
	address string
	base    string
	http    *http.Client // for the calls that are rare

	mu   sync.Mutex
	idle []*wire
}

var (
	userAgent = settings.UserAgent + runtime.Version()
	get       = &http.Request{Method: http.MethodGet}
	post      = &http.Request{Method: http.MethodPost}
)

// New makes a client for the host:port in AWS_LAMBDA_RUNTIME_API. Proxy variables are ignored.
func New(address string) *Client {
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 16,
		DisableCompression:  true,

		MaxResponseHeaderBytes: httphead.Max,
	}
	return &Client{address: address, base: "http://" + address, http: &http.Client{Transport: transport}}
}

// Invocation is one event and what came with it.
type Invocation struct {
	ID string
	// Deadline is when Lambda ends the environment by force.
	Deadline        time.Time
	FunctionARN     string
	TraceID         string
	ClientContext   string
	CognitoIdentity string
	TenantID        string
	Payload         []byte
	// TooLarge says why there is no payload: the event passes the limit. Such an invocation is to be failed; others can follow.
	TooLarge error
}

// StatusError is an answer of the Runtime API other than success. Status 500 means that the runtime must exit.
type StatusError struct {
	Status int
	Body   string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("runtime API answered %d %s: %s", e.Status, http.StatusText(e.Status), e.Body)
}

// Fatal says whether the Runtime API asked the runtime to exit.
func (e *StatusError) Fatal() bool { return e.Status >= 500 }

// Next waits, without limit, for the next invocation. The call also ends the invocation before it.
func (c *Client) Next(ctx context.Context) (*Invocation, error) {
	var inv *Invocation
	err := c.wait(ctx, "invocation/next", func(resp *http.Response) error {
		payload, err := readPayload(resp)
		if err != nil && !errors.Is(err, errTooLarge) {
			return err
		}
		tooLarge := err
		if inv, err = newInvocation(resp.Header, payload); err != nil {
			return errors.Join(err, tooLarge)
		}
		if tooLarge == nil {
			return nil
		}
		if inv.ID == "" {
			return tooLarge
		}
		inv.TooLarge = tooLarge
		resp.Close = true // the rest of the event would have to be read, and may have no end
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the next invocation: %w", err)
	}
	return inv, nil
}

// wait makes a call that is held until there is something to do, and has its answer read.
func (c *Client) wait(ctx context.Context, path string, read func(*http.Response) error) error {
	return c.exchange(ctx, get, func(w *wire) error {
		c.begin(w, http.MethodGet, path)
		_, err := w.w.WriteString("\r\n")
		return err
	}, func(resp *http.Response) error {
		if resp.StatusCode != http.StatusOK {
			return statusError(resp)
		}
		return read(resp)
	})
}

func newInvocation(h http.Header, payload []byte) (*Invocation, error) {
	ms, err := strconv.ParseInt(h.Get("Lambda-Runtime-Deadline-Ms"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("read the invocation's deadline: %w", err)
	}
	return &Invocation{
		ID:              h.Get("Lambda-Runtime-Aws-Request-Id"),
		Deadline:        time.UnixMilli(ms),
		FunctionARN:     h.Get("Lambda-Runtime-Invoked-Function-Arn"),
		TraceID:         h.Get("Lambda-Runtime-Trace-Id"),
		ClientContext:   h.Get("Lambda-Runtime-Client-Context"),
		CognitoIdentity: h.Get("Lambda-Runtime-Cognito-Identity"),
		TenantID:        h.Get("Lambda-Runtime-Aws-Tenant-Id"),
		Payload:         payload,
	}, nil
}

// errTooLarge is in the chain of the error about an event that passes maxPayload.
var errTooLarge = errors.New("the event is too large")

func readPayload(resp *http.Response) ([]byte, error) {
	if resp.ContentLength > maxPayload {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", errTooLarge, resp.ContentLength, maxPayload)
	}
	if resp.ContentLength >= 0 {
		payload := make([]byte, resp.ContentLength)
		_, err := io.ReadFull(resp.Body, payload)
		return payload, err
	}
	payload, err := io.ReadAll(io.LimitReader(resp.Body, maxPayload+1))
	if err == nil && len(payload) > maxPayload {
		return nil, fmt.Errorf("%w: an event of more than %d bytes", errTooLarge, maxPayload)
	}
	return payload, err
}

// Failure is an error as Lambda wants it described.
type Failure struct {
	// Type is of the form Category.Reason.
	Type    string
	Message string
	// Trace holds lines that help: here the app's last output.
	Trace []string
}

// Fail answers an invocation with an error. It is allowed only before a response was begun.
func (c *Client) Fail(ctx context.Context, id string, f Failure) error {
	if err := c.postFailure(ctx, "invocation/"+id+"/error", f); err != nil {
		return fmt.Errorf("report the error of invocation %s: %w", id, err)
	}
	return nil
}

// FailInit reports that the init phase failed. The runtime then exits.
func (c *Client) FailInit(ctx context.Context, f Failure) error {
	if err := c.postFailure(ctx, "init/error", f); err != nil {
		return fmt.Errorf("report the init error: %w", err)
	}
	return nil
}

func (c *Client) postFailure(ctx context.Context, path string, f Failure) error {
	body, err := json.Marshal(struct {
		Message string   `json:"errorMessage"`
		Type    string   `json:"errorType"`
		Trace   []string `json:"stackTrace"`
	}{f.Message, f.Type, append([]string{}, f.Trace...)})
	if err != nil {
		return err
	}
	req, err := c.request(ctx, http.MethodPost, path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(errorTypeTrailer, f.Type)
	return c.accepted(req)
}

func (c *Client) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+version+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", userAgent)
	return req, nil
}

// accepted sends req and wants 202.
func (c *Client) accepted(req *http.Request) error {
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return wantAccepted(resp)
}

func wantAccepted(resp *http.Response) error {
	if resp.StatusCode != http.StatusAccepted {
		return statusError(resp)
	}
	return discard(resp)
}

// discard reads the answer to its end, after which the connection can be used again.
func discard(resp *http.Response) error {
	n, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && n > maxAnswer {
		err = fmt.Errorf("an answer of more than %d bytes", maxAnswer)
	}
	return err
}

func statusError(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	return &StatusError{Status: resp.StatusCode, Body: string(bytes.TrimSpace(body))}
}
