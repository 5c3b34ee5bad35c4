package apigateway

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

var (
	errTimeout = errors.New("integration timed out")
	errIdle    = errors.New("stream was idle for too long")
)

// lambdaPayload is the largest event that Lambda takes (quota "Invocation payload").
const lambdaPayload = 6 << 20

// functionError is what the function or its runtime reported.
type functionError struct {
	Code    string `json:"ErrorCode"`
	Details string `json:"ErrorDetails"`
}

func (e functionError) Error() string { return "function failed: " + e.Code + " " + e.Details }

// serveProxy invokes the function and passes its answer on. The invocation ends
// with the request only as far as the gateway is concerned: Lambda goes on.
func (g *Gateway) serveProxy(x *exchange, route match, m *method, body []byte) error {
	event, err := g.event(x, route, body)
	if err != nil {
		return x.fail(internalError, fmt.Errorf("build event: %w", err))
	}
	ctx, cancel := context.WithTimeoutCause(x.r.Context(), m.Integration.Timeout, errTimeout)
	defer cancel()
	ctx, idle := withIdle(ctx, g.idleTimeout(m))
	defer idle.stop()
	res, err := g.invoke(ctx, x, m, event)
	switch {
	case err != nil && len(event) > lambdaPayload && ctx.Err() == nil:
		return x.fail(requestTooLong, err) // refused before it was sent whole: the refusal got lost with the connection
	case err != nil:
		return x.failInvoke(ctx, err)
	}
	defer res.Body.Close()
	if gr, err := rejected(res); err != nil {
		return x.fail(gr, err)
	}
	if m.stream {
		err = x.stream(ctx, newFrameReader(res.Body), idle)
	} else {
		err = x.buffered(res)
	}
	if err != nil {
		return x.failInvoke(ctx, err)
	}
	return nil
}

// idleTimeout is 5 minutes for regional APIs and 30 s for edge-optimized ones
// ("Response streaming"); a buffered integration knows only its timeout.
func (g *Gateway) idleTimeout(m *method) time.Duration {
	switch {
	case !m.stream:
		return m.Integration.Timeout + time.Second
	case g.cfg.API.EndpointType == "EDGE":
		return 30 * time.Second
	}
	return 5 * time.Minute
}

// failInvoke tells a timeout from a broken function.
func (x *exchange) failInvoke(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, errTimeout), errors.Is(cause, errIdle):
		x.limit(cause.Error())
		return x.fail(endpointTimedOut, cause)
	case x.r.Context().Err() != nil:
		x.started = true // nobody is there to be answered
		return fmt.Errorf("client went away: %w", err)
	}
	return x.fail(badGateway, err)
}

func (g *Gateway) invoke(ctx context.Context, x *exchange, m *method, event []byte) (*http.Response, error) {
	path := "/2015-03-31/functions/%s/invocations"
	if m.stream {
		path = "/2021-11-15/functions/%s/response-streaming-invocations"
	}
	u := g.cfg.LambdaEndpoint + fmt.Sprintf(path, url.PathEscape(m.function))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u, bytes.NewReader(event))
	if err != nil {
		return nil, fmt.Errorf("invoke %s: %w", m.function, err)
	}
	r.GetBody = nil // an invocation that may have begun is not sent twice
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Amzn-Trace-Id", x.trace)
	r.Header.Set("X-Sluice-Request", x.id)
	res, err := g.transport.RoundTrip(r)
	if err != nil {
		return nil, fmt.Errorf("invoke %s: %w", m.function, err)
	}
	return res, nil
}

// rejected turns a refusal of Lambda's API into the gateway's answer.
func rejected(res *http.Response) (gatewayResponse, error) {
	if res.StatusCode == http.StatusOK {
		return gatewayResponse{}, nil
	}
	reason, _ := io.ReadAll(io.LimitReader(res.Body, 1024))
	err := fmt.Errorf("lambda refused the invocation: %s %s", res.Status, bytes.TrimSpace(reason))
	if res.StatusCode == http.StatusRequestEntityTooLarge {
		return requestTooLong, err
	}
	return internalError, err
}

// buffered answers with the whole of the function's response.
func (x *exchange) buffered(res *http.Response) error {
	payload, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return fmt.Errorf("read the function's response: %w", err)
	}
	if kind := res.Header.Get("X-Amz-Function-Error"); kind != "" {
		return functionError{Code: kind, Details: string(payload)}
	}
	answer, err := parseProxyResponse(payload)
	if err != nil {
		return err
	}
	m, err := answer.metadata()
	if err != nil {
		return err
	}
	body, err := answer.bytes()
	if err != nil {
		return err
	}
	responseHeaders(x.w.Header(), m.header, false)
	return x.whole(m.status, body)
}

// whole sends a response whose body is known.
func (x *exchange) whole(status int, body []byte) error {
	h := x.w.Header()
	h.Set("X-Amzn-Trace-Id", x.trace)
	if status != http.StatusNoContent && status != http.StatusNotModified {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	if err := x.begin(status); err != nil {
		return err
	}
	if len(body) == 0 || bodyless(x.r.Method, status) {
		return nil
	}
	return x.write(body)
}

func (r *proxyResponse) bytes() ([]byte, error) {
	switch {
	case r.Body == nil:
		return nil, nil
	case !r.IsBase64Encoded:
		return []byte(*r.Body), nil
	}
	b, err := base64.StdEncoding.DecodeString(*r.Body)
	if err != nil {
		return nil, fmt.Errorf("response body: %w", err)
	}
	return b, nil
}

func bodyless(method string, status int) bool {
	return method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified
}

// stream passes each payload chunk on as it arrives. The metadata may be cut into
// any number of chunks.
func (x *exchange) stream(ctx context.Context, frames *frameReader, idle *idleTimer) error {
	var prelude preludeParser
	var pace pacer
	for {
		f, err := frames.next()
		if err == io.EOF {
			return errors.New("stream ended without InvokeComplete")
		}
		if err != nil {
			return fmt.Errorf("read the function's stream: %w", err)
		}
		idle.reset()
		switch {
		case f.messageType == "exception" || f.messageType == "error":
			return functionError{Code: f.eventType, Details: string(f.payload)}
		case f.eventType == "InvokeComplete":
			return completed(f.payload, prelude.done)
		case f.eventType != "PayloadChunk":
			continue
		}
		body := f.payload
		if !prelude.done {
			if body, err = x.streamHead(&prelude, body); err != nil {
				return err
			}
		}
		if len(body) == 0 || bodyless(x.r.Method, x.status) {
			continue
		}
		if err := pace.wait(ctx, len(body)); err != nil {
			return err
		}
		if err := x.write(body); err != nil {
			return fmt.Errorf("write to client: %w", err)
		}
	}
}

// streamHead feeds the prelude parser and begins the response once it is whole. It
// returns the part of the chunk that is body.
func (x *exchange) streamHead(p *preludeParser, chunk []byte) ([]byte, error) {
	m, body, err := p.feed(chunk)
	if m == nil || err != nil {
		return nil, err
	}
	responseHeaders(x.w.Header(), m.header, true)
	x.w.Header().Set("X-Amzn-Trace-Id", x.trace)
	return body, x.begin(m.status)
}

func completed(payload []byte, begun bool) error {
	var e functionError
	if len(payload) > 0 {
		if err := json.Unmarshal(payload, &e); err != nil {
			return fmt.Errorf("InvokeComplete: %w", err)
		}
	}
	switch {
	case e.Code != "":
		return e
	case !begun:
		return errNoPrelude
	}
	return nil
}
