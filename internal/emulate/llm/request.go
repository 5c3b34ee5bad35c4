package llm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// completion is the part of a request that matters here.
type completion struct {
	Model    string    `json:"model"`
	Messages []chatMsg `json:"messages"`
	Stream   bool      `json:"stream"`
	Options  struct {
		Usage bool `json:"include_usage"`
	} `json:"stream_options"`
}

type chatMsg struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"` // a string, or parts
}

// text returns a message's text, of all its parts if it has some.
func (m chatMsg) text() string {
	var s string
	if json.Unmarshal(m.Content, &s) == nil {
		return s
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if json.Unmarshal(m.Content, &parts) != nil {
		return ""
	}
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.Text)
	}
	return b.String()
}

// question is the text of the user's last message.
func (c completion) question() string {
	for i := len(c.Messages) - 1; i >= 0; i-- {
		if c.Messages[i].Role == "user" {
			return c.Messages[i].text()
		}
	}
	return ""
}

// asksTitle reports whether the request is the application's own, for a title
// of the conversation: one message that speaks of both.
func (c completion) asksTitle() bool {
	if len(c.Messages) == 0 || len(c.Messages) > 2 {
		return false
	}
	for _, m := range c.Messages {
		s := strings.ToLower(m.text())
		if strings.Contains(s, "title") && strings.Contains(s, "conversation") {
			return true
		}
	}
	return false
}

// pace is a Config with what only a question can ask for.
type pace struct {
	Config
	status int // of the answer, if not 0
}

var mark = regexp.MustCompile(`\[llm ([^\]]*)\]`)

// paceOf reads the mark in a question, if it has one.
func paceOf(base Config, question string) (pace, error) {
	p := pace{Config: base}
	m := mark.FindStringSubmatch(question)
	if m == nil {
		return p, nil
	}
	for _, f := range strings.Fields(m[1]) {
		name, value, _ := strings.Cut(f, "=")
		if err := p.set(name, value); err != nil {
			return p, fmt.Errorf("mark %q: %w", m[0], err)
		}
	}
	return p, nil
}

func (p *pace) set(name, value string) (err error) {
	switch name {
	case "tokens":
		p.Tokens, err = strconv.Atoi(value)
		if err == nil && (p.Tokens < 1 || p.Tokens > 1_000_000) {
			err = fmt.Errorf("tokens must be 1 to 1000000, not %s", value)
		}
	case "rate":
		p.Rate, err = strconv.ParseFloat(value, 64)
		if err == nil && !(p.Rate >= 0.001 && p.Rate <= 1e6) {
			err = fmt.Errorf("rate must be 0.001 to 1000000 tokens in a second, not %s", value)
		}
	case "every":
		var d time.Duration
		if d, err = time.ParseDuration(value); err == nil && (d < time.Microsecond || d > time.Hour) {
			err = fmt.Errorf("every must be 1us to 1h, not %s", value)
		}
		if err == nil {
			p.Rate = float64(time.Second) / float64(d)
		}
	case "first":
		p.First, err = time.ParseDuration(value)
	case "status":
		p.status, err = strconv.Atoi(value)
		if err == nil && (p.status < 400 || http.StatusText(p.status) == "") {
			err = fmt.Errorf("status must be an HTTP error, not %s", value)
		}
	default:
		err = fmt.Errorf("%q is not known: use tokens, rate, every, first, status", name)
	}
	return err
}
