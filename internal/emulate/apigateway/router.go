package apigateway

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aproorg/sluice/internal/stack"
)

// node is a resource of the tree. A literal segment is tried before a parameter,
// a parameter before the greedy proxy; a branch that leads nowhere is given up
// for the next, so that the nearest greedy resource above takes the request.
type node struct {
	resource *resource // nil: no such resource, only a parent
	literal  map[string]*node
	param    *node
	greedy   *node
	name     string // of the parameter
}

type resource struct {
	id, path string
	methods  map[string]*method
}

type method struct {
	stack.Method
	function string // name, for AWS_PROXY
	stream   bool
	mock     *mock
}

// match is a resource and the values of its path parameters, not decoded.
type match struct {
	*resource
	params map[string]string
}

// method is the resource's own of that name, or its ANY, which stands for the seven that
// the service knows ("Set up a method using the API Gateway console").
func (m match) method(name string) (*method, bool) {
	if found, ok := m.methods[name]; ok {
		return found, true
	}
	if !slices.Contains(methods, name) {
		return nil, false
	}
	found, ok := m.methods["ANY"]
	return found, ok
}

var methods = []string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

func buildRoutes(cfg Config) (*node, error) {
	root := &node{}
	for _, r := range cfg.API.Resources {
		n, err := root.add(r.Path)
		if err != nil {
			return nil, fmt.Errorf("resource %s: %w", r.Address, err)
		}
		if n.resource == nil {
			n.resource = &resource{id: shortID(r.Address + r.Path)[:6], path: or(r.Path, "/"), methods: map[string]*method{}}
		}
		for _, m := range r.Methods {
			built, err := newMethod(cfg, m)
			if err != nil {
				return nil, fmt.Errorf("integration %s: %w", or(m.Integration.Address, r.Address), err)
			}
			n.resource.methods[m.HTTPMethod] = built
		}
	}
	return root, nil
}

// add returns the node of a resource path, making it where there is none.
func (n *node) add(path string) (*node, error) {
	segments := split(path)
	for i, s := range segments {
		name, isParam := strings.CutPrefix(s, "{")
		switch {
		case !isParam && strings.ContainsAny(s, "{}"):
			return nil, fmt.Errorf("path %q: a parameter must be a whole segment", path)
		case !isParam:
			n = n.child(s)
		case strings.HasSuffix(name, "+}"):
			if i != len(segments)-1 {
				return nil, fmt.Errorf("path %q: nothing can follow a greedy parameter", path)
			}
			n = variable(&n.greedy, strings.TrimSuffix(name, "+}"))
		case strings.HasSuffix(name, "}"):
			n = variable(&n.param, strings.TrimSuffix(name, "}"))
		default:
			return nil, fmt.Errorf("path %q: %q is not closed", path, s)
		}
	}
	return n, nil
}

func (n *node) child(segment string) *node {
	if n.literal == nil {
		n.literal = map[string]*node{}
	}
	if n.literal[segment] == nil {
		n.literal[segment] = &node{}
	}
	return n.literal[segment]
}

func variable(at **node, name string) *node {
	if *at == nil {
		*at = &node{name: name}
	}
	return *at
}

// find returns the resource for a path that begins with a slash. A slash at the
// end does not make another resource.
func (n *node) find(path string) (match, bool) {
	m := match{params: map[string]string{}}
	m.resource = n.walk(split(path), m.params)
	return m, m.resource != nil
}

func (n *node) walk(segments []string, params map[string]string) *resource {
	if len(segments) == 0 {
		return n.resource
	}
	head, tail := segments[0], segments[1:]
	if c := n.literal[head]; c != nil {
		if found := c.walk(tail, params); found != nil {
			return found
		}
	}
	if n.param != nil && head != "" {
		if found := n.param.walk(tail, params); found != nil {
			params[n.param.name] = head
			return found
		}
	}
	if n.greedy != nil {
		params[n.greedy.name] = strings.Join(segments, "/")
		return n.greedy.resource
	}
	return nil
}

func split(path string) []string {
	path = strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}
