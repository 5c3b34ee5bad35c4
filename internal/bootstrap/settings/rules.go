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

// A Rule adds to the environment where files of the app tell which release it
// is. So an image brings what its release needs, and the function's environment
// is the same for all of them. The file of rules is a JSON array.
type Rule struct {
	Condition
	And         []Condition       `json:"and,omitempty"`  // which must hold as well
	Note        string            `json:"note,omitempty"` // for the log, where the rule holds
	Environment map[string]string `json:"environment,omitempty"`
}

// A Condition holds where a file is there, has one text and lacks another. An empty
// text is not asked for.
type Condition struct {
	File     string `json:"file"` // absolute
	Contains string `json:"contains,omitempty"`
	Lacks    string `json:"lacks,omitempty"`
}

// Extension is what the rules have added.
type Extension struct {
	Variables []string // names, sorted
	Notes     []string // of the rules that hold
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
// Of two rules the later one wins. A variable that is set already stays as it is.
// NODE_OPTIONS is a list: what is set and each rule's options come together.
// read is ReadFile in main.
func Extend(env []string, read func(file string) ([]byte, error)) (extended []string, by Extension, err error) {
	file, _ := Lookup(env)(RulesVariable)
	if file == "" {
		return env, Extension{}, nil
	}
	wanted, notes, err := wantedBy(file, read)
	if err != nil {
		return nil, Extension{}, fmt.Errorf("setting %s=%q: %w", RulesVariable, file, err)
	}
	extended, by.Notes = slices.Clone(env), notes
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		at := slices.IndexFunc(extended, func(entry string) bool { return strings.HasPrefix(entry, name+"=") })
		switch {
		case at < 0:
			extended = append(extended, name+"="+wanted[name])
		case name == nodeOptions:
			extended[at] += " " + wanted[name]
		default:
			continue
		}
		by.Variables = append(by.Variables, name)
	}
	return extended, by, nil
}

// nodeOptions is a list of options, divided by spaces.
const nodeOptions = "NODE_OPTIONS"

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

// wantedBy is the environment of the rules that hold, and their notes.
func wantedBy(file string, read func(string) ([]byte, error)) (wanted map[string]string, notes []string, err error) {
	text, err := read(file)
	if err != nil {
		return nil, nil, err
	}
	rules, err := parseRules(text)
	if err != nil {
		return nil, nil, err
	}
	wanted = map[string]string{}
	for _, r := range rules {
		holds, err := r.holds(read)
		if err != nil {
			return nil, nil, err
		}
		if !holds {
			continue
		}
		if r.Note != "" {
			notes = append(notes, r.Note)
		}
		options := wanted[nodeOptions]
		maps.Copy(wanted, r.Environment)
		if more := r.Environment[nodeOptions]; more != "" && options != "" {
			wanted[nodeOptions] = options + " " + more
		}
	}
	return wanted, notes, nil
}

func parseRules(text []byte) ([]Rule, error) {
	var rules []Rule
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&rules); err != nil {
		return nil, fmt.Errorf("want a JSON array of rules: %w", err)
	}
	for n, r := range rules {
		for _, c := range r.conditions() {
			if !strings.HasPrefix(c.File, "/") {
				return nil, fmt.Errorf("rule %d: file %q is no absolute path", n+1, c.File)
			}
		}
		for name, value := range r.Environment {
			if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
				return nil, fmt.Errorf("rule %d: %q cannot be a variable", n+1, name)
			}
		}
	}
	return rules, nil
}

func (r Rule) conditions() []Condition { return append([]Condition{r.Condition}, r.And...) }

func (r Rule) holds(read func(string) ([]byte, error)) (bool, error) {
	for _, c := range r.conditions() {
		if holds, err := c.holds(read); err != nil || !holds {
			return false, err
		}
	}
	return true, nil
}

func (c Condition) holds(read func(string) ([]byte, error)) (bool, error) {
	text, err := read(c.File)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return bytes.Contains(text, []byte(c.Contains)) && (c.Lacks == "" || !bytes.Contains(text, []byte(c.Lacks))), err
}
