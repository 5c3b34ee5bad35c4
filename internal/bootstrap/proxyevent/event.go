package proxyevent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Kind is the sender of an event, as far as it decides how to read it and how to answer.
type Kind int

const (
	// Other is not HTTP: a schedule, a queue, a direct invocation.
	Other Kind = iota
	// REST is a REST API.
	REST
	// HTTPv1 is an HTTP API with payload format 1.0.
	HTTPv1
	// HTTPv2 is an HTTP API with payload format 2.0.
	HTTPv2
	// FunctionURL is a Lambda function URL.
	FunctionURL
	// ALB is a load balancer whose target group sends single headers.
	ALB
	// ALBMulti is a load balancer whose target group sends multi-value headers.
	ALBMulti
)

func (k Kind) String() string {
	return [...]string{"other", "REST API", "HTTP API 1.0", "HTTP API 2.0", "function URL", "load balancer", "load balancer (multi-value)"}[k]
}

// Streams says whether this sender can take a streamed answer at all.
func (k Kind) Streams() bool { return k == REST || k == FunctionURL }

// event is the union of all senders' fields that matter here.
type event struct {
	Version           string              `json:"version"`
	HTTPMethod        string              `json:"httpMethod"`
	Path              string              `json:"path"`
	RawPath           string              `json:"rawPath"`
	RawQuery          string              `json:"rawQueryString"`
	Query             pairs               `json:"queryStringParameters"`
	MultiQuery        pairs               `json:"multiValueQueryStringParameters"`
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Cookies           []string            `json:"cookies"`
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
	Context           struct {
		ELB        *struct{} `json:"elb"`
		RequestID  string    `json:"requestId"`
		DomainName string    `json:"domainName"`
		Identity   struct {
			SourceIP string `json:"sourceIp"`
			APIKey   string `json:"apiKey"` // that the method needs, of the distribution
		} `json:"identity"`
		HTTP struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
	} `json:"requestContext"`
}

func (e *event) kind() Kind {
	switch {
	case e.Context.ELB != nil && e.HTTPMethod != "":
		if e.MultiValueHeaders != nil {
			return ALBMulti
		}
		return ALB
	case e.Context.HTTP.Method != "":
		if strings.Contains(e.Context.DomainName, ".lambda-url.") {
			return FunctionURL
		}
		return HTTPv2
	case e.HTTPMethod != "" && e.Version == "1.0":
		return HTTPv1
	case e.HTTPMethod != "":
		return REST
	}
	return Other
}

// decode reads the event and, apart from it, its body's bytes.
func decode(payload []byte) (*event, []byte, error) {
	e := new(event)
	rest, token, ok := cutBody(payload)
	if !ok {
		rest = payload
	}
	if err := json.Unmarshal(rest, e); err != nil {
		if json.Valid(payload) {
			return new(event), nil, nil // JSON of another shape is an event of another kind
		}
		return nil, nil, fmt.Errorf("read the event: %w", err)
	}
	if !ok {
		token = []byte(e.Body)
	} else if bytes.IndexByte(token, '\\') >= 0 {
		var text string
		if err := json.Unmarshal(quoted(token), &text); err != nil {
			return nil, nil, fmt.Errorf("read the event's body: %w", err)
		}
		token = []byte(text)
	}
	return e, token, nil
}

func quoted(token []byte) []byte {
	return append(append([]byte{'"'}, token...), '"')
}

// pairs are a JSON object's members in their order, each name as often as it has values.
type pairs []pair

type pair struct{ name, value string }

// UnmarshalJSON takes an object whose values are strings, lists of strings, or null.
func (p *pairs) UnmarshalJSON(data []byte) error {
	*p = nil
	dec := json.NewDecoder(bytes.NewReader(data))
	open, err := dec.Token()
	if err != nil || open == nil {
		return err
	}
	if open != json.Delim('{') {
		return fmt.Errorf("want an object of query parameters, got %v", open)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		if err := p.values(dec, name.(string)); err != nil {
			return err
		}
	}
	return nil
}

func (p *pairs) values(dec *json.Decoder, name string) error {
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return err
	}
	if raw[0] == '[' {
		var list []string
		if err := json.Unmarshal(raw, &list); err != nil {
			return err
		}
		for _, value := range list {
			*p = append(*p, pair{name, value})
		}
		return nil
	}
	var value string
	if err := json.Unmarshal(raw, &value); err != nil {
		return err
	}
	*p = append(*p, pair{name, value})
	return nil
}
