package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

// A Rule adds to the environment where a file of the app tells which release it
// is. So an image brings what its release needs, and the function's environment
// is the same for all of them. The file of rules is a JSON array.
type Rule struct {
	File        string            `json:"file"`               // absolute; where there is none, the rule does not hold
	Contains    string            `json:"contains,omitempty"` // text that the file must hold
	Environment map[string]string `json:"environment"`
}

// maxFile bounds what is read of a file of rules, and of a file that a rule names: the largest scripts that bundlers make.
const maxFile = 32 << 20

// ReadFile reads a regular file of at most 32 MiB. A FIFO would be waited for, and a device has no end.
func ReadFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1)) // not by the size: files in /proc have none
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxFile)
	}
	return text, err
}

// Extend adds to env, as os.Environ gives it, what the rules say that hold.
// Of two rules the later one wins. A variable that is set already stays as it is,
// but for NODE_OPTIONS, which is a list: it gets the rules' options too.
// read is ReadFile in main. added are the names, sorted.
func Extend(env []string, read func(file string) ([]byte, error)) (extended, added []string, err error) {
	file, _ := Lookup(env)(RulesVariable)
	if file == "" {
		return env, nil, nil
	}
	wanted, err := wantedBy(file, read)
	if err != nil {
		return nil, nil, fmt.Errorf("setting %s=%q: %w", RulesVariable, file, err)
	}
	extended = slices.Clone(env)
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		at := slices.IndexFunc(extended, func(entry string) bool { return strings.HasPrefix(entry, name+"=") })
		switch {
		case at < 0:
			extended = append(extended, name+"="+wanted[name])
		case name == "NODE_OPTIONS":
			extended[at] += " " + wanted[name]
		default:
			continue
		}
		added = append(added, name)
	}
	return extended, added, nil
}

// Lookup is os.LookupEnv for an environment as os.Environ gives it.
func Lookup(env []string) func(name string) (string, bool) {
	return func(name string) (string, bool) {
		for _, entry := range env {
			if value, ok := strings.CutPrefix(entry, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
}

func wantedBy(file string, read func(string) ([]byte, error)) (map[string]string, error) {
	text, err := read(file)
	if err != nil {
		return nil, err
	}
	rules, err := parseRules(text)
	if err != nil {
		return nil, err
	}
	wanted := map[string]string{}
	for _, r := range rules {
		holds, err := r.holds(read)
		if err != nil {
			return nil, err
		}
		if holds {
			maps.Copy(wanted, r.Environment)
		}
	}
	return wanted, nil
}

func parseRules(text []byte) ([]Rule, error) {
	var rules []Rule
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&rules); err != nil {
		return nil, fmt.Errorf("want a JSON array of rules: %w", err)
	}
	for n, r := range rules {
		if !strings.HasPrefix(r.File, "/") {
			return nil, fmt.Errorf("rule %d: file %q is no absolute path", n+1, r.File)
		}
		for name, value := range r.Environment {
			if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
				return nil, fmt.Errorf("rule %d: %q cannot be a variable", n+1, name)
			}
		}
	}
	return rules, nil
}

func (r Rule) holds(read func(string) ([]byte, error)) (bool, error) {
	text, err := read(r.File)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return bytes.Contains(text, []byte(r.Contains)), err
}
