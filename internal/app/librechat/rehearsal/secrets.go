package rehearsal

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

const (
	setting     = "SLUICE_" // of the bootstrap, which reads its settings on the function only
	secretNames = setting + "SECRETS"
)

// reference is a variable and the name of the parameter that it comes from.
type reference struct{ variable, parameter string }

func references(text string) []reference {
	var all []reference
	for _, field := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		name, parameter, _ := strings.Cut(field, "=")
		all = append(all, reference{name, parameter})
	}
	return all
}

// known are the user's references, and then the plan's.
func (c *Chat) known() []reference {
	return append(references(c.cfg.Env[secretNames]), references(c.cfg.Function[secretNames])...)
}

// parameter is the name, in Parameter Store, of the secret for a variable: the
// user's, the plan's, or one of the rehearsal.
func (c *Chat) parameter(variable string) string {
	for _, r := range c.known() {
		if r.variable == variable && r.parameter != "" {
			return r.parameter
		}
	}
	return prefix + variable
}

// given puts in what the user has given: values of LibreChat's own secrets, and of
// others that the plan or the user keeps in Parameter Store.
func (c *Chat) given(secrets map[string]string) {
	for _, r := range c.known() {
		if value, ok := c.cfg.Env[r.variable]; ok && !strings.HasPrefix(r.variable, setting) {
			secrets[r.variable] = value
		}
	}
	for name := range secrets {
		if value, ok := c.cfg.Env[name]; ok {
			secrets[name] = value
		}
	}
}

// references is SLUICE_SECRETS: all that Parameter Store holds, and what the user
// has it asked for besides, which is then missing there as it would be on AWS. Of the
// plan's other secrets a rehearsal has no values, and does not ask.
func (c *Chat) references(secrets map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		all = append(all, name+"="+c.parameter(name))
	}
	for _, r := range references(c.cfg.Env[secretNames]) {
		if _, ok := secrets[r.variable]; !ok {
			all = append(all, r.variable+"="+r.parameter)
		}
	}
	return strings.Join(all, ",")
}

// settings are the user's for the bootstrap.
func (c *Chat) settings() map[string]string {
	out := map[string]string{}
	for name, value := range c.cfg.Env {
		if strings.HasPrefix(name, setting) {
			out[name] = value
		}
	}
	return out
}
