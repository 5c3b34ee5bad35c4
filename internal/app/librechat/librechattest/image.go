package librechattest

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
)

// InImage is the environment of an image in which the release in dir is the app, for
// a function that has been given one: what the bootstrap makes of both.
func InImage(dir string, function map[string]string) (map[string]string, error) {
	files, image := facts.ImageAdditions()
	var environ []string
	for _, variables := range []map[string]string{function, image} {
		for name, value := range variables {
			environ = append(environ, name+"="+value)
		}
	}
	extended, _, err := settings.Extend(environ, func(file string) ([]byte, error) {
		if text, ok := files[file]; ok {
			return text, nil
		}
		return os.ReadFile(filepath.Join(dir, strings.TrimPrefix(file, facts.ImageRoot)))
	})
	environment := map[string]string{}
	for _, entry := range extended {
		name, value, _ := strings.Cut(entry, "=")
		environment[name] = value
	}
	delete(environment, settings.RulesVariable)
	return environment, err
}

// ImageOptions is the NODE_OPTIONS of a release in an image: a file for each script
// that a directory's release has as a data URL.
func ImageOptions(r facts.Release) string {
	files, _ := facts.ImageAdditions()
	var options []string
	for option := range strings.FieldsSeq(r.Env(facts.Stores{})["NODE_OPTIONS"]) {
		script, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(option, "--import=data:text/javascript;base64,"))
		for name, text := range files {
			if err == nil && bytes.Equal(text, script) {
				option = "--import=" + name
			}
		}
		options = append(options, option)
	}
	return strings.Join(options, " ")
}
