package coldstart

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

const maxConfig = 4 << 20

// fetchConfig writes the configuration where the app finds it, checked: an app that ends without a word over a
// mistyped line is hard to help, and LibreChat does.
func (st *start) fetchConfig(ctx context.Context) (int, error) {
	data, err := st.aws.object(ctx, st.ConfigS3, maxConfig)
	if err != nil {
		return 0, fmt.Errorf("SLUICE_CONFIG_S3: %w", err)
	}
	for _, r := range st.ConfigReplace {
		n := bytes.Count(data, []byte(r.From))
		data = bytes.ReplaceAll(data, []byte(r.From), []byte(r.To))
		if n == 0 {
			st.Log.Warn("the configuration does not hold what is to be replaced", "object", st.ConfigS3.String(), "from", r.From)
		}
	}
	if err := checkYAML(data); err != nil {
		return 0, fmt.Errorf("SLUICE_CONFIG_S3: %s is not valid: %w", st.ConfigS3, err)
	}
	if err := writeFile(st.ConfigPath, data); err != nil {
		return 0, fmt.Errorf("SLUICE_CONFIG_PATH: %w", err)
	}
	st.config = map[string]string{st.ConfigVariable: st.ConfigPath}
	return 1, nil
}

// checkYAML returns the first fault of a file that must hold one document, a mapping, with no key twice.
func checkYAML(data []byte) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return errors.New("it is empty")
	} else if err != nil {
		return withLine(err)
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return fmt.Errorf("yaml: line %d: the file must hold a mapping (key: value)", doc.Line)
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

func uniqueKeys(n *yaml.Node) error {
	if n.Kind == yaml.MappingNode {
		lines := map[string]int{}
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i]
			if first, ok := lines[key.Value]; ok && key.Kind == yaml.ScalarNode && key.Tag != "!!merge" {
				return fmt.Errorf("yaml: line %d: the key %q is there twice, first in line %d", key.Line, key.Value, first)
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

// writeFile writes a whole file or none, readable by the app's user alone.
func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".config-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
