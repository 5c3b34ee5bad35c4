package coldstart

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/configfile"
)

const maxConfig = 4 << 20

// fetchConfig writes the configuration where the app finds it, checked: an app that ends without a word over a
// mistyped line is hard to help, as some do.
func (st *start) fetchConfig(ctx context.Context) (int, error) {
	data, err := st.aws.object(ctx, st.ConfigS3, maxConfig)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", settings.ConfigS3Variable, err)
	}
	for _, r := range st.ConfigReplace {
		n := bytes.Count(data, []byte(r.From))
		if len(data)+n*(len(r.To)-len(r.From)) > maxConfig {
			return 0, fmt.Errorf("%s: %s, with %q replaced %d times, is larger than %d bytes", settings.ConfigReplaceVariable, st.ConfigS3, r.From, n, maxConfig)
		}
		data = bytes.ReplaceAll(data, []byte(r.From), []byte(r.To))
		if n == 0 {
			st.Log.Warn("the configuration does not hold what is to be replaced", "object", st.ConfigS3.String(), "from", r.From)
		}
	}
	if err := configfile.Check(data); err != nil {
		return 0, fmt.Errorf("%s: %s is not valid: %w", settings.ConfigS3Variable, st.ConfigS3, err)
	}
	st.expect(data)
	if err := writeFile(st.ConfigPath, data); err != nil {
		return 0, fmt.Errorf("%s: %w", settings.ConfigPathVariable, err)
	}
	st.content = sha256.Sum256(data)
	st.config = map[string]string{st.ConfigVariable: st.ConfigPath}
	return 1, nil
}

// expect warns of a configuration that the deployment was not made for: the app starts, and what is missing shows much later.
func (st *start) expect(data []byte) {
	for _, e := range st.ConfigExpect {
		if configfile.Says(data, e.Key, e.Value) {
			return
		}
	}
	if len(st.ConfigExpect) > 0 {
		st.Log.Warn("the configuration does not say what this deployment expects of it", "object", st.ConfigS3.String(), "expected", st.ConfigExpect)
	}
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
