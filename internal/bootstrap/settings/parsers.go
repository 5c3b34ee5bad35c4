package settings

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/dotenv"
	"github.com/aproorg/sluice/internal/hint"
)

// A parser takes the text of a variable to the field that it was made for.
type parser func(text string) error

// by stores what parse makes of the text.
func by[T any](to *T, parse func(string) (T, error)) parser {
	return func(text string) (err error) {
		*to, err = parse(text)
		return err
	}
}

// optional leaves the field as it is where there is no text.
func optional(parse parser) parser {
	return func(text string) error {
		if text == "" {
			return nil
		}
		return parse(text)
	}
}

// readByExtend is the parser of the variable that Extend has read before all others.
func readByExtend(string) error { return nil }

func text(to *string) parser {
	return func(text string) error { *to = text; return nil }
}

func secret(to *Secret) parser {
	return func(text string) error { *to = Secret{text}; return nil }
}

func address(to *string) parser {
	return func(text string) error {
		if text == "" {
			return hint.With(errors.New("missing; set it to the host:port of a Runtime API"), "outside Lambda, `sluice up` gives one")
		}
		if _, _, err := net.SplitHostPort(text); err != nil {
			return fmt.Errorf("want host:port: %w", err)
		}
		*to = text
		return nil
	}
}

func number(to *int, low, high int) parser {
	return func(text string) error {
		n, err := strconv.Atoi(text)
		if err != nil || n < low || n > high {
			return fmt.Errorf("want a whole number from %d to %d", low, high)
		}
		*to = n
		return nil
	}
}

func duration(to *time.Duration, low time.Duration) parser {
	return func(text string) error {
		d, err := time.ParseDuration(text)
		if err != nil || d < low {
			return fmt.Errorf("want a duration such as 500ms or 15s, at least %v", low)
		}
		*to = d
		return nil
	}
}

func boolean(to *bool) parser {
	return func(text string) error {
		b, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("want true or false")
		}
		*to = b
		return nil
	}
}

// oneOf is true for yes.
func oneOf(to *bool, no, yes string) parser {
	return func(text string) error {
		if text != no && text != yes {
			return fmt.Errorf("want %s or %s", no, yes)
		}
		*to = text == yes
		return nil
	}
}

// not is true for any other text.
func not(to *bool, no string) parser {
	return func(text string) error { *to = text != no; return nil }
}

func path(to *string) parser {
	return func(text string) error {
		if !strings.HasPrefix(text, "/") {
			return errors.New("want a path that begins with /")
		}
		*to = text
		return nil
	}
}

// ReadyTCP as the path of readiness waits for the port alone.
const ReadyTCP = "tcp"

func readyPath(to *string) parser {
	return func(text string) error {
		switch {
		case text == ReadyTCP:
			*to = ""
		case strings.HasPrefix(text, "/"):
			*to = text
		default:
			return errors.New("want a path that begins with /, or tcp for the port alone")
		}
		return nil
	}
}

func prefix(to *string) parser {
	return func(text string) error {
		text = strings.TrimRight(text, "/")
		if text != "" && !strings.HasPrefix(text, "/") {
			text = "/" + text
		}
		*to = text
		return nil
	}
}

func pattern(to **regexp.Regexp) parser {
	return func(text string) error {
		re, err := regexp.Compile(text)
		if err != nil {
			return fmt.Errorf("want a regular expression: %w", err)
		}
		*to = re
		return nil
	}
}

func eventData(to *string) parser {
	return func(text string) error {
		if strings.ContainsAny(text, "\r\n") {
			return errors.New("want one line")
		}
		if text != "break" {
			*to = text
		}
		return nil
	}
}

func absolute(text string) (string, error) {
	if !filepath.IsAbs(text) {
		return "", fmt.Errorf("%q is not an absolute path", text)
	}
	return filepath.Clean(text), nil
}

func absolutes(text string) ([]string, error) {
	var all []string
	for _, f := range fields(text) {
		p, err := absolute(f)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func variableName(text string) (string, error) {
	if !dotenv.IsName(text) {
		return "", noName(text)
	}
	return text, nil
}

func variableNames(text string) ([]string, error) {
	names := fields(text)
	for _, name := range names {
		if !dotenv.IsName(name) {
			return nil, noName(name)
		}
	}
	return names, nil
}
