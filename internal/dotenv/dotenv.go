// Package dotenv reads and writes files of environment variables, NAME=value, as the dotenv packages do
// (https://github.com/motdotla/dotenv#what-rules-does-the-parsing-engine-follow). The bootstrap and the command line share
// it, so that one file means the same to both.
//
// It expands no variables in values, and opens no files.
package dotenv

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aproorg/sluice/internal/hint"
)

var namePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// IsName tells whether a variable can have the name: letters, digits and _, and no digit first.
func IsName(name string) bool { return namePattern.MatchString(name) }

// Parse reads variables. "export" may stand before a name, comments begin with #; white space around a value goes, quotes
// ("…", '…' or `…`) keep it, and within quotes a value may go over lines. Double quotes know \n, \r, \t, \\, \" and \$; other
// backslashes stay. The last of two lines for one name counts. Errors give the line and no value, for it may be a secret.
func Parse(text string) (map[string]string, error) {
	vars := map[string]string{}
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\uFEFF"), "\r\n", "\n")
	if strings.ContainsRune(text, 0) {
		return nil, errors.New("it holds a NUL byte: is it a text file?")
	}
	for line := 1; text != ""; {
		rest, skipped := skipBlank(text)
		line += skipped
		if rest == "" {
			break
		}
		name, value, after, err := assignment(rest)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		vars[name] = value
		line += strings.Count(rest[:len(rest)-len(after)], "\n")
		text = after
	}
	return vars, nil
}

// Quote writes a value so that Parse reads it back. It must hold no NUL byte.
func Quote(value string) string { return `"` + quoter.Replace(value) + `"` }

var (
	quoter  = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`)
	escapes = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r", `\t`, "\t", `\"`, `"`, `\$`, `$`)
)

// skipBlank passes over white space and comments, and counts their lines.
func skipBlank(text string) (rest string, lines int) {
	for {
		trimmed := strings.TrimLeft(text, " \t\n\r")
		lines += strings.Count(text[:len(text)-len(trimmed)], "\n")
		if !strings.HasPrefix(trimmed, "#") {
			return trimmed, lines
		}
		i := strings.IndexByte(trimmed, '\n')
		if i < 0 {
			return "", lines
		}
		text = trimmed[i:]
	}
}

// assignment takes one variable off the text. What is after it begins behind the line's end.
func assignment(text string) (name, value, after string, err error) {
	line, _, _ := strings.Cut(text, "\n")
	name, _, ok := strings.Cut(line, "=")
	if !ok {
		return "", "", "", hint.With(errors.New("no = in it"), "NAME=value, and quotes around a value of several lines")
	}
	text = text[len(name)+1:]
	name = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(name), "export "))
	if !IsName(name) {
		return "", "", "", errors.New("what stands before = is not the name of a variable: letters, digits and _, and no digit first")
	}
	value, after, err = valueOf(text)
	if err != nil {
		return "", "", "", fmt.Errorf("%s: %w", name, err)
	}
	return name, value, after, nil
}

func valueOf(text string) (value, after string, err error) {
	text = strings.TrimLeft(text, " \t")
	if text == "" || !strings.ContainsRune("\"'`", rune(text[0])) {
		line, after, _ := strings.Cut(text, "\n")
		if i := strings.Index(" "+line, " #"); i >= 0 { // a # in the middle of a word is the value's
			line = line[:max(0, i-1)]
		}
		return strings.TrimSpace(line), after, nil
	}
	quote := text[0]
	end := closing(text, quote)
	if end < 0 {
		return "", "", fmt.Errorf("the quote %c is never closed", quote)
	}
	value = text[1:end]
	if quote == '"' {
		value = escapes.Replace(value)
	}
	tail, after, _ := strings.Cut(text[end+1:], "\n")
	if tail = strings.TrimSpace(tail); tail != "" && tail[0] != '#' {
		return "", "", errors.New("something follows the closing quote")
	}
	return value, after, nil
}

// closing finds the quote that ends a value; in double quotes a backslash hides one.
func closing(text string, quote byte) int {
	for i := 1; i < len(text); i++ {
		switch {
		case quote == '"' && text[i] == '\\':
			i++
		case text[i] == quote:
			return i
		}
	}
	return -1
}
