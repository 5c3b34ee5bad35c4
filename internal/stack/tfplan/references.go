package tfplan

import (
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

func (p *Plan) index(path string, m *tfjson.ConfigModule) {
	if m == nil {
		return
	}
	p.modules[path] = m
	for _, r := range m.Resources {
		p.configs[join(path, r.Type+"."+r.Name)] = configured{path, r}
	}
	for name, call := range m.ModuleCalls {
		child := join(path, "module."+name)
		p.calls[child] = call
		p.index(child, call.Module)
	}
}

func join(module, address string) string {
	if module == "" {
		return address
	}
	return module + "." + address
}

// identities are the attributes by whose value another resource may name one.
var identities = []string{"id", "arn", "name", "bucket", "bucket_regional_domain_name", "bucket_domain_name", "invoke_arn",
	"response_streaming_invoke_arn", "qualified_arn", "root_resource_id", "execution_arn", "invoke_url", "domain_name", "function_name"}

// Find returns the resource of one of the types that r's attribute points at, or
// nil. path leads through blocks: "origin.domain_name".
func (p *Plan) Find(r *Resource, value string, path string, types ...string) *Resource {
	candidates := p.ofType(r, types)
	if value != "" {
		if found := p.named(value, candidates); found != nil {
			return found
		}
	}
	if found := p.referenced(r, path, candidates); found != nil {
		return found
	}
	return nearest(r, candidates)
}

// ofType returns the resources of the types, without r itself.
func (p *Plan) ofType(r *Resource, types []string) []*Resource {
	var all []*Resource
	for _, c := range p.resources {
		if c != r && slices.Contains(types, c.Type) {
			all = append(all, c)
		}
	}
	return all
}

// named finds the candidate that the value names: exactly, or inside a longer
// one, such as an invocation URI that holds a function's ARN.
func (p *Plan) named(value string, candidates []*Resource) *Resource {
	for _, c := range candidates {
		if value == c.Address {
			return c
		}
	}
	for _, c := range candidates {
		for _, attribute := range identities {
			id, _ := c.Values[attribute].(string)
			if id == "" {
				continue
			}
			if id == value || (strings.HasPrefix(id, "arn:") && strings.Contains(value, id)) || strings.Contains(id, "://"+value+"/") {
				return c
			}
		}
	}
	return nil
}

// Reads returns the names of the attributes of another resource that r's attribute at path
// refers to, as far as the configuration names them.
func (p *Plan) Reads(r *Resource, path string, of *Resource) []string {
	return p.targets(r, path)[of.config()]
}

// referenced follows the configuration from r's attribute.
func (p *Plan) referenced(r *Resource, path string, candidates []*Resource) *Resource {
	targets := p.targets(r, path)
	var hits []*Resource
	for _, c := range candidates {
		if _, ok := targets[c.config()]; ok {
			hits = append(hits, c)
		}
	}
	return sameKey(r, hits)
}

// targets are what the configuration of r's attribute leads to: addresses of resources
// without keys, each with the attributes that are read of it.
func (p *Plan) targets(r *Resource, path string) map[string][]string {
	config, ok := p.configs[r.config()]
	if !ok {
		return nil
	}
	targets := map[string][]string{}
	steps := strings.Split(path, ".")
	refs := references(config.Expressions, steps)
	if config.Expressions[steps[0]] == nil {
		// A plan leaves dynamic blocks out. A module that has one takes its content
		// from the variable of the block's name, by custom.
		refs = []string{"var." + steps[0]}
	}
	for _, ref := range refs {
		p.follow(config.module, ref, targets, 0)
	}
	return targets
}

// references collects what the expressions at path refer to.
func references(expressions map[string]*tfjson.Expression, path []string) []string {
	e := expressions[path[0]]
	if e == nil || e.ExpressionData == nil {
		return nil
	}
	if len(path) == 1 || len(e.NestedBlocks) == 0 { // a dynamic block has the references of the whole
		return e.References
	}
	var all []string
	for _, block := range e.NestedBlocks {
		all = append(all, references(block, path[1:])...)
	}
	return all
}

// follow adds the configuration addresses of the resources behind ref, as seen
// from module.
func (p *Plan) follow(module, ref string, targets map[string][]string, depth int) {
	if depth > 16 { // a cycle is no valid configuration, but the file may be anything
		return
	}
	parts := strings.Split(withoutKeys(ref), ".")
	switch {
	case len(parts) < 2:
	case parts[0] == "var":
		p.followCall(module, parts[1], targets, depth)
	case parts[0] == "module" && len(parts) > 2:
		child := join(module, "module."+parts[1])
		if m := p.modules[child]; m != nil {
			if out := m.Outputs[parts[2]]; out != nil && out.Expression != nil && out.Expression.ExpressionData != nil {
				for _, next := range out.Expression.References {
					p.follow(child, next, targets, depth+1)
				}
			}
		}
	default:
		address := join(module, parts[0]+"."+parts[1])
		targets[address] = append(targets[address], parts[2:min(len(parts), 3)]...)
	}
}

// followCall goes on in the calling module with what it passes for a variable.
func (p *Plan) followCall(module, variable string, targets map[string][]string, depth int) {
	call := p.calls[module]
	if call == nil {
		return
	}
	argument := call.Expressions[variable]
	if argument == nil || argument.ExpressionData == nil {
		return
	}
	parent := ""
	if i := strings.LastIndex(module, ".module."); i >= 0 {
		parent = module[:i]
	}
	for _, next := range argument.References {
		p.follow(parent, next, targets, depth+1)
	}
}

// sameKey picks the one hit, or among instances the one with r's own key.
func sameKey(r *Resource, hits []*Resource) *Resource {
	if len(hits) == 1 {
		return hits[0]
	}
	for _, h := range hits {
		if h.key() == r.key() && r.key() != "" {
			return h
		}
	}
	return keyless(hits)
}

// keyless picks the one hit that is not an instance among others: what
// try(x[each.key].id, y.id) falls back to.
func keyless(hits []*Resource) *Resource {
	var found *Resource
	for _, h := range hits {
		if h.key() != "" {
			continue
		}
		if found != nil {
			return nil
		}
		found = h
	}
	return found
}

// nearest picks the candidate that shares most of r's module path, if it is alone.
func nearest(r *Resource, candidates []*Resource) *Resource {
	var best *Resource
	most, ties := -1, 0
	for _, c := range candidates {
		n := shared(r.module(), c.module())
		switch {
		case n > most:
			best, most, ties = c, n, 0
		case n == most:
			ties++
		}
	}
	if ties > 0 {
		return nil
	}
	return best
}

// shared counts the modules that two paths have in common from the root.
func shared(a, b string) int {
	left, right := strings.Split(a, "."), strings.Split(b, ".")
	n := 0
	for n < len(left) && n < len(right) && left[n] == right[n] && left[n] != "" {
		n++
	}
	return n
}
