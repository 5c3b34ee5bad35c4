// Package awsiam decides by policies of IAM whether a principal may do something: a
// statement that denies wins, one that allows is needed
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html).
//
// It knows identity-based policies with Action, Resource and Condition, and refuses to
// read what it does not know. It leaves out resource-based policies, permissions
// boundaries, policies of an organization or a session, and policy variables.
package awsiam

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aproorg/sluice/internal/wildcard"
)

// Policy is a policy document.
type Policy struct {
	Version   string
	Statement []Statement
}

// Statement allows or denies.
type Statement struct {
	Sid, Effect      string
	Action, Resource Texts
	Condition        map[string]map[string]Texts // by operator, then by key
}

// Texts are one text or several.
type Texts []string

// UnmarshalJSON reads a string or a list of them.
func (t *Texts) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = Texts{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(t))
}

// Request asks whether an action may be done to a resource.
type Request struct {
	Action   string              // such as s3:GetObject
	Resource string              // an ARN, or * where the action has no resource
	Context  map[string][]string // values of condition keys; the names of keys ignore case
}

// Parse reads a policy document.
func Parse(document []byte) (Policy, error) {
	var p Policy
	d := json.NewDecoder(bytes.NewReader(document))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, fmt.Errorf("policy document: %w", err)
	}
	if p.Version != "2012-10-17" {
		return p, fmt.Errorf("policy document: version %q", p.Version)
	}
	for _, s := range p.Statement {
		if s.Effect != "Allow" && s.Effect != "Deny" || len(s.Action) == 0 || len(s.Resource) == 0 {
			return p, fmt.Errorf("statement %s lacks an effect, an action or a resource", s.Sid)
		}
		for operator := range s.Condition {
			if matchers[plain(operator)] == nil {
				return p, fmt.Errorf("statement %s: the operator %s is not known here", s.Sid, operator)
			}
		}
		if i := strings.Index(strings.Join(s.Resource, " "), "${"); i >= 0 {
			return p, fmt.Errorf("statement %s: policy variables are not known here", s.Sid)
		}
	}
	return p, nil
}

// Allows tells whether the policies together allow the request.
func Allows(policies []Policy, r Request) bool {
	allowed := false
	for _, p := range policies {
		for _, s := range p.Statement {
			if !s.matches(r) {
				continue
			}
			if s.Effect == "Deny" {
				return false
			}
			allowed = true
		}
	}
	return allowed
}

func (s Statement) matches(r Request) bool {
	action := func(pattern string) bool { return wildcard.Match(strings.ToLower(pattern), strings.ToLower(r.Action)) }
	resource := func(pattern string) bool { return wildcard.Match(pattern, r.Resource) }
	return slices.ContainsFunc(s.Action, action) && slices.ContainsFunc(s.Resource, resource) && s.holds(r.Context)
}

// holds tells whether all conditions hold.
func (s Statement) holds(context map[string][]string) bool {
	for operator, keys := range s.Condition {
		match := matchers[plain(operator)]
		for key, patterns := range keys {
			var values []string
			for name, given := range context {
				if strings.EqualFold(name, key) {
					values = given
				}
			}
			matches := func(value string) bool {
				return slices.ContainsFunc(patterns, func(pattern string) bool { return match(pattern, value) })
			}
			fails := func(value string) bool { return !matches(value) }
			switch {
			case strings.HasPrefix(operator, "ForAllValues:"): // none at all will do
				if slices.ContainsFunc(values, fails) {
					return false
				}
			case values == nil && strings.HasSuffix(operator, "IfExists"):
			case !slices.ContainsFunc(values, matches):
				return false
			}
		}
	}
	return true
}

// matchers are the operators, without what says how often and whether at all.
var matchers = map[string]func(pattern, value string) bool{
	"StringEquals": func(pattern, value string) bool { return pattern == value },
	"StringLike":   wildcard.Match,
	"ArnEquals":    arnLike,
	"ArnLike":      arnLike,
}

func plain(operator string) string {
	operator = strings.TrimSuffix(operator, "IfExists")
	return strings.TrimPrefix(strings.TrimPrefix(operator, "ForAnyValue:"), "ForAllValues:")
}

// arnLike matches each of an ARN's six parts by itself.
func arnLike(pattern, arn string) bool {
	wanted, given := strings.SplitN(pattern, ":", 6), strings.SplitN(arn, ":", 6)
	if len(wanted) != 6 || len(given) != 6 {
		return false
	}
	for i := range wanted {
		if !wildcard.Match(wanted[i], given[i]) {
			return false
		}
	}
	return true
}
