// Package configfile finds what is wrong with an app's YAML file before the app reads it: an app that ends without a word over
// a mistyped line, or goes on without its configuration, is hard to help. The bootstrap and the command line share it.
//
// It knows YAML and no app's schema.
package configfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Check returns the first fault, with its line, of a file that must hold one document, a mapping, with no key twice.
func Check(data []byte) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return errors.New("it is empty")
	} else if err != nil {
		return withLine(err)
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return fmt.Errorf("yaml: line %d: the file must hold a mapping (key: value)", max(1, doc.Line))
	}
	if err := dec.Decode(&more); err == nil {
		return fmt.Errorf("yaml: line %d: a second document begins here", more.Line)
	} else if !errors.Is(err, io.EOF) {
		return withLine(err)
	}
	return uniqueKeys(doc.Content[0])
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// withLine mends the line of a syntax error: yaml.v3 counts the parser's from 0, the scanner's from 1, and leaves out the
// file's first line.
func withLine(err error) error {
	m := yamlLine.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	line, _ := strconv.Atoi(m[1]) // no number is 0
	if line == 0 || strings.HasPrefix(m[2], "did not find expected") {
		line++
	}
	return fmt.Errorf("yaml: line %d: %s", line, m[2])
}

// Says tells whether a file that Check has passed has the key at its top level, with that value; an empty value stands for any.
func Says(data []byte, key, value string) bool {
	var doc yaml.Node
	if yaml.Unmarshal(data, &doc) != nil || len(doc.Content) != 1 {
		return false
	}
	top := doc.Content[0].Content
	for i := 0; i+1 < len(top); i += 2 {
		if top[i].Value == key {
			return value == "" || top[i+1].Kind == yaml.ScalarNode && top[i+1].Value == value
		}
	}
	return false
}

func uniqueKeys(n *yaml.Node) error {
	if n.Kind == yaml.MappingNode {
		lines := map[string]int{}
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i]
			if first, ok := lines[key.Value]; ok && key.Kind == yaml.ScalarNode && key.Tag != "!!merge" {
				return fmt.Errorf("yaml: line %d, column %d: the key %q is there twice, first in line %d", key.Line, key.Column, key.Value, first)
			}
			lines[key.Value] = key.Line
		}
	}
	for _, child := range n.Content {
		if err := uniqueKeys(child); err != nil {
			return err
		}
	}
	return nil
}
