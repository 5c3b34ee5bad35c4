package apigateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/aproorg/sluice/internal/emulate/apigateway/response"
)

var (
	errTimeout = errors.New("integration timed out")
	errIdle    = errors.New("stream was idle for too long")
)

// environmentHeader is what the Lambda emulator says of the environment that answers. It goes
// to the viewer, who could not tell environments apart otherwise; there is none on AWS.
const environmentHeader = "X-Sluice-Environment"

// lambdaPayload is the largest event that Lambda takes (quota "Invocation payload").
const lambdaPayload = 6 << 20

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
	x.environment = res.Header.Get(environmentHeader)
	if gr, err := rejected(res); err != nil {
		return x.fail(gr, err)
	}
	if m.stream {
		err = x.stream(ctx, response.NewStream(res.Body), idle)
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
	if g.cfg.Sign != nil {
		g.cfg.Sign(r, event)
	}
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
		return response.FunctionError{Code: kind, Details: string(payload)}
	}
	head, body, err := response.Parse(payload)
	if err != nil {
		return err
	}
	responseHeaders(x.w.Header(), head.Header, head.Status, false)
	return x.whole(head.Status, body)
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

func bodyless(method string, status int) bool {
	return method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified
}

// stream passes each payload chunk on as it arrives.
func (x *exchange) stream(ctx context.Context, s *response.Stream, idle *idleTimer) error {
	var pace pacer
	for {
		head, body, err := s.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		idle.reset()
		if head != nil {
			responseHeaders(x.w.Header(), head.Header, head.Status, true)
			x.w.Header().Set("X-Amzn-Trace-Id", x.trace)
			if err := x.begin(head.Status); err != nil {
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
