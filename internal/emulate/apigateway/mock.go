package apigateway

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"strings"

	"github.com/aproorg/sluice/internal/stack"
)

// mock is a MOCK integration with literal templates only.
type mock struct {
	status    map[string]string // by content type of the request: the status its template chooses
	responses []mockResponse
}

type mockResponse struct {
	pattern *regexp.Regexp // nil: the default response
	status  int
	header  http.Header
	body    map[string]string // by content type
}

func newMock(in stack.Integration) (*mock, error) {
	m := &mock{status: map[string]string{}}
	for contentType, template := range in.RequestTemplates {
		status, err := mockStatus(template)
		if err != nil {
			return nil, fmt.Errorf("request template %q: %w", contentType, err)
		}
		m.status[contentType] = status
	}
	for _, r := range in.Responses {
		built, err := newMockResponse(r)
		if err != nil {
			return nil, fmt.Errorf("integration response %d: %w", r.StatusCode, err)
		}
		m.responses = append(m.responses, built)
	}
	return m, nil
}

// mockStatus reads {"statusCode": N}, all that a MOCK integration looks at.
func mockStatus(template string) (string, error) {
	if err := literal(template); err != nil {
		return "", err
	}
	var t struct {
		StatusCode json.Number `json:"statusCode"`
	}
	if err := json.Unmarshal([]byte(template), &t); err != nil || t.StatusCode == "" {
		return "", fmt.Errorf(`%q is not {"statusCode": N}`, template)
	}
	return t.StatusCode.String(), nil
}

func newMockResponse(r stack.IntegrationResponse) (mockResponse, error) {
	out := mockResponse{status: r.StatusCode, header: http.Header{}, body: r.ResponseTemplates}
	for target, source := range r.ResponseParameters {
		name, ok := strings.CutPrefix(target, "method.response.header.")
		value, quoted := strings.CutPrefix(source, "'")
		value, closed := strings.CutSuffix(value, "'")
		if !ok || !quoted || !closed {
			return out, fmt.Errorf("response parameter %s = %s: only method.response.header.NAME = 'literal' is emulated", target, source)
		}
		out.header.Set(name, value)
	}
	for contentType, template := range r.ResponseTemplates {
		if err := literal(template); err != nil {
			return out, fmt.Errorf("response template %q: %w", contentType, err)
		}
	}
	if r.SelectionPattern == "" {
		return out, nil
	}
	var err error
	if out.pattern, err = regexp.Compile("^(?:" + r.SelectionPattern + ")$"); err != nil {
		return out, fmt.Errorf("selection pattern: %w", err)
	}
	return out, nil
}

// literal refuses what would need a Velocity engine.
func literal(template string) error {
	if strings.ContainsAny(template, "#$") {
		return fmt.Errorf("template %q has directives or references; only literal templates are emulated", template)
	}
	return nil
}

// serveMock answers as the templates say. A request whose content type has no
// template passes through (WHEN_NO_MATCH, the default) and ends in 500, for the
// integration finds no status.
func (x *exchange) serveMock(m *mock) error {
	contentType, _, err := mime.ParseMediaType(or(x.r.Header.Get("Content-Type"), "application/json"))
	if err != nil {
		contentType = x.r.Header.Get("Content-Type")
	}
	status, ok := m.status[contentType]
	if !ok {
		return x.fail(internalError, nil)
	}
	response, ok := m.choose(status)
	if !ok {
		return x.fail(internalError, nil)
	}
	h := x.w.Header()
	responseHeaders(h, response.header, response.status, false)
	body := response.body[or(h.Get("Content-Type"), "application/json")]
	return x.whole(response.status, []byte(body))
}

func (m *mock) choose(status string) (mockResponse, bool) {
	var fallback *mockResponse
	for i, r := range m.responses {
		if r.pattern == nil {
			fallback = &m.responses[i]
		} else if r.pattern.MatchString(status) {
			return r, true
		}
	}
	if fallback == nil {
		return mockResponse{}, false
	}
	return *fallback, true
}
