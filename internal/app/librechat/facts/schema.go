package facts

import (
	_ "embed"
	"path/filepath"
)

//go:embed schema.cjs
var schemaScript string

// ConfigCheck is the command that reads a librechat.yaml as the release does, with
// its own parser and its own schema. It ends with ConfigRefused after lines that say
// what is wrong and where, and with 0 where nothing is or the release has no schema.
// By itself LibreChat ends in its start over a schema's fault, and goes on without
// the file over one of syntax.
func (r Release) ConfigCheck(file string) []string {
	return []string{"node", "-e", schemaScript, filepath.Join(r.Dir, "api", "server", "index.js"), file}
}

// ConfigRefused is the exit status of a ConfigCheck that has found faults.
const ConfigRefused = 3

// UncheckedConfig is the variable that, set to true, has LibreChat go on without a
// file that its schema refuses.
const UncheckedConfig = "CONFIG_BYPASS_VALIDATION"
