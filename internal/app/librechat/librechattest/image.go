package librechattest

import (
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
