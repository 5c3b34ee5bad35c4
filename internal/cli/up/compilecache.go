package up

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/image"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/ui"
)

// flushCompiled has Node write what it has compiled while it runs: by itself it does so when it ends, and an environment is
// killed. https://nodejs.org/api/module.html#moduleflushcompilecache
const flushCompiled = `data:text/javascript,import%20m%20from'node:module';m.flushCompileCache&&setInterval(m.flushCompileCache,200).unref()`

// fillCompileCache gives all environments of an image one directory for Node's compiled code, at its place in images.
func fillCompileCache(app *rehearse.App) error {
	if err := os.MkdirAll(filepath.Join(app.Root, image.CompileCachePath), 0o755); err != nil {
		return fmt.Errorf("make a place for the compile cache: %w", err)
	}
	app.Writable = append(app.Writable, image.CompileCachePath)
	own, _ := settings.Lookup(app.ImageEnv)("NODE_OPTIONS")
	options := strings.TrimSpace(own + " --import " + flushCompiled)
	app.ImageEnv = slices.DeleteFunc(slices.Clone(app.ImageEnv), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return name == "NODE_OPTIONS" || name == settings.CompileCacheVariable
	})
	app.ImageEnv = append(app.ImageEnv, "NODE_OPTIONS="+options, settings.CompileCacheVariable+"="+image.CompileCachePath)
	return nil
}

// keepCompileCache copies what was compiled into dir, beside what is there, and says what there is.
func keepCompileCache(root, dir string) (string, error) {
	files, err := image.ReadCompileCache(filepath.Join(root, image.CompileCachePath))
	if err != nil {
		return "", hint.With(fmt.Errorf("the app has left no compiled code for %s", dir), "Node 22.1 and later write some, once the app has started")
	}
	var size int64
	for name, content := range files {
		size += int64(len(content))
		if err := replace(filepath.Join(dir, name), content); err != nil {
			return "", fmt.Errorf("keep the compile cache: %w", err)
		}
	}
	return fmt.Sprintf("%s has %d files of compiled code, %s: sluice image --compile-cache %[1]s puts them into the image", dir, len(files), ui.Bytes(size)), nil
}

// replace writes a file that is seen whole or not at all.
func replace(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	part := name + ".part"
	if err := os.WriteFile(part, content, 0o644); err != nil {
		return err
	}
	return os.Rename(part, name)
}
