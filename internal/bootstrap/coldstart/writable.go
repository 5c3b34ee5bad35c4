package coldstart

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/hint"
)

// makeWritable makes the directories. /tmp is empty in a new environment, and links into it point at nothing.
func (st *start) makeWritable(context.Context) (int, error) {
	var errs []error
	for _, path := range st.Writable {
		if err := makeDirectory(path); err != nil {
			errs = append(errs, hint.With(fmt.Errorf("%s: %s: %w", settings.WritableVariable, path, err), "in Lambda only /tmp is writable: link the path into it when the image is made"))
		}
	}
	return len(st.Writable), errors.Join(errs...)
}

// makeDirectory makes a directory, or what a chain of links points at.
func makeDirectory(path string) error {
	for range 16 {
		target, err := os.Readlink(path)
		if err != nil { // no link, or nothing there
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(path, ".writable-*")
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return errors.New("it is there and cannot be written to")
		}
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
