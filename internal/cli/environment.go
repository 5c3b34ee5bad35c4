package cli

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// assignments reads values of a flag that takes NAME=VALUE.
func assignments(flag string, values []string) (map[string]string, error) {
	out := map[string]string{}
	for _, v := range values {
		name, value, ok := strings.Cut(v, "=")
		if !ok || !variableName.MatchString(name) {
			return nil, &usageError{fmt.Errorf("%s %q is not NAME=VALUE", flag, v)}
		}
		out[name] = value
	}
	return out, nil
}

// environmentFile reads a file of NAME=VALUE lines.
func environmentFile(path string) (map[string]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the environment file: %w", err)
	}
	env, err := parseEnvironment(string(data))
	if err != nil {
		return nil, fmt.Errorf("environment file %s, %w", path, err)
	}
	return env, nil
}

// parseEnvironment reads lines as dotenv files have them: NAME=VALUE, an optional
// "export" before, # comments, values bare, in 'single' quotes as they are, or in
// "double" quotes with \n \r \t \" \\ \$. Values end with their line.
func parseEnvironment(text string) (map[string]string, error) {
	env := map[string]string{}
	for i, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "export "))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, raw, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if !ok || !variableName.MatchString(name) {
			return nil, fmt.Errorf("line %d: want NAME=VALUE (hint: a name has letters, digits and underscores)", i+1)
		}
		value, err := environmentValue(strings.TrimSpace(raw))
		if err != nil {
			return nil, fmt.Errorf("line %d, %s: %w", i+1, name, err)
		}
		env[name] = value
	}
	return env, nil
}

// environmentValue reads what stands behind the equals sign. Errors do not show
// it: it may be a secret.
func environmentValue(raw string) (string, error) {
	if raw == "" || raw[0] != '"' && raw[0] != '\'' {
		if comment := strings.Index(raw, " #"); comment >= 0 {
			raw = raw[:comment]
		}
		return strings.TrimSpace(raw), nil
	}
	value, rest, err := quoted(raw[1:], raw[0])
	if err != nil {
		return "", err
	}
	if rest = strings.TrimSpace(rest); rest != "" && !strings.HasPrefix(rest, "#") {
		return "", fmt.Errorf("text follows the closing quote")
	}
	return value, nil
}

var escapes = map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', '"': '"', '\\': '\\', '$': '$'}

// quoted reads up to the closing quote.
func quoted(s string, quote byte) (value, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == quote:
			return b.String(), s[i+1:], nil
		case c == '\\' && quote == '"' && i+1 < len(s):
			i++
			if plain, ok := escapes[s[i]]; ok {
				b.WriteByte(plain)
			} else {
				b.WriteString(s[i-1 : i+1])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", "", fmt.Errorf("the quote %c is not closed on its line", quote)
}
