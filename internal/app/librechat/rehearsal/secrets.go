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
func (l *LibreChat) known() []reference {
	return append(references(l.cfg.Env[secretNames]), references(l.cfg.Function[secretNames])...)
}

// parameter is the name, in Parameter Store, of the secret for a variable: the
// user's, the plan's, or one of the rehearsal.
func (l *LibreChat) parameter(variable string) string {
	for _, r := range l.known() {
		if r.variable == variable && r.parameter != "" {
			return r.parameter
		}
	}
	return prefix + variable
}

// takeFromUser puts in what the user sets: values of LibreChat's own secrets, and of
// others that the plan or the user keeps in Parameter Store.
func (l *LibreChat) takeFromUser(secrets map[string]string) {
	for _, r := range l.known() {
		if value, ok := l.cfg.Env[r.variable]; ok && !strings.HasPrefix(r.variable, setting) {
			secrets[r.variable] = value
		}
	}
	for name := range secrets {
		if value, ok := l.cfg.Env[name]; ok {
			secrets[name] = value
		}
	}
}

// references is SLUICE_SECRETS: all that Parameter Store holds, and what the user
// has it asked for besides, which is then missing there as it would be on AWS. Of the
// plan's other secrets a rehearsal has no values, and does not ask.
func (l *LibreChat) references() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(l.secrets)) {
		all = append(all, name+"="+l.parameter(name))
	}
	for _, r := range references(l.cfg.Env[secretNames]) {
		if _, ok := l.secrets[r.variable]; !ok {
			all = append(all, r.variable+"="+r.parameter)
		}
	}
	return strings.Join(all, ",")
}

// settings are the user's for the bootstrap.
func (l *LibreChat) settings() map[string]string {
	out := map[string]string{}
	for name, value := range l.cfg.Env {
		if strings.HasPrefix(name, setting) {
			out[name] = value
		}
	}
	return out
}
