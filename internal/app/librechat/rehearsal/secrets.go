package rehearsal

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
)

// readReferences reads what the user and the plan set for the bootstrap that names
// parameters and objects, by the bootstrap's own parsers.
func (l *LibreChat) readReferences() (err error) {
	if l.users, err = settings.ParseSecrets(l.cfg.Env[settings.SecretsVariable]); err != nil {
		return fmt.Errorf("%s: %w", settings.SecretsVariable, err)
	}
	planned, err := settings.ParseSecrets(l.cfg.Function[settings.SecretsVariable])
	if err != nil {
		return fmt.Errorf("%s of the plan: %w", settings.SecretsVariable, err)
	}
	l.known = slices.Concat(l.users, planned)
	l.config = settings.Object{Bucket: "sluice-rehearsal-config", Key: "librechat.yaml"}
	if text := l.cfg.Function[settings.ConfigS3Variable]; text != "" {
		if l.config, err = settings.ParseObject(text); err != nil {
			return fmt.Errorf("%s of the plan: %w", settings.ConfigS3Variable, err)
		}
	}
	return nil
}

// parameter is the name, in Parameter Store, of the secret for a variable: the
// user's, the plan's, or one of the rehearsal.
func (l *LibreChat) parameter(variable string) string {
	for _, r := range l.known {
		if r.Variable == variable {
			return r.Parameter
		}
	}
	return prefix + variable
}

// takeFromUser puts in what the user sets: values of LibreChat's own secrets, and of
// others that the plan or the user keeps in Parameter Store.
func (l *LibreChat) takeFromUser(secrets map[string]string) {
	for _, r := range l.known {
		if value, ok := l.cfg.Env[r.Variable]; ok && !strings.HasPrefix(r.Variable, settings.Prefix) {
			secrets[r.Variable] = value
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
		all = append(all, settings.SecretRef{Variable: name, Parameter: l.parameter(name)}.String())
	}
	for _, r := range l.users {
		if _, ok := l.secrets[r.Variable]; !ok {
			all = append(all, r.String())
		}
	}
	return strings.Join(all, ",")
}

// settings are the user's for the bootstrap.
func (l *LibreChat) settings() map[string]string {
	out := map[string]string{}
	for name, value := range l.cfg.Env {
		if strings.HasPrefix(name, settings.Prefix) {
			out[name] = value
		}
	}
	return out
}
