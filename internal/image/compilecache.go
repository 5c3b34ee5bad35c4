package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/bounded"
)

// CompileCachePath is where compiled code of Node's lies. NODE_COMPILE_CACHE names it.
const CompileCachePath = Directory + "/compile-cache"

// maxCompileCache is in bytes. That of an app with 9,000 modules has 30 MB.
const maxCompileCache = 256 << 20

// compiled is the name of a file in it. Others are left over from a process that was killed while it wrote.
var compiled = regexp.MustCompile(`^[0-9a-f]{1,8}$`)

// ReadCompileCache reads a directory that NODE_COMPILE_CACHE named, for [Options.CompileCache]. What Node did not make is
// left out; a directory without anything of Node's is an error.
// https://nodejs.org/api/module.html#module-compile-cache
func ReadCompileCache(dir string) (map[string][]byte, error) {
	files, left := map[string][]byte{}, int64(maxCompileCache)
	tags, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the compile cache: %w", err)
	}
	for _, tag := range tags {
		if !tag.IsDir() || !settings.CompileCacheTag.MatchString(tag.Name()) {
			continue
		}
		entries, err := os.ReadDir(filepath.Join(dir, tag.Name()))
		if err != nil {
			return nil, fmt.Errorf("read the compile cache: %w", err)
		}
		for _, e := range entries {
			if !e.Type().IsRegular() || !compiled.MatchString(e.Name()) {
				continue
			}
			content, err := bounded.ReadFile(filepath.Join(dir, tag.Name(), e.Name()), left)
			if errors.Is(err, fs.ErrNotExist) {
				continue // replaced by a process that still fills it
			}
			if tooLarge := (*bounded.TooLarge)(nil); errors.As(err, &tooLarge) {
				return nil, fmt.Errorf("the compile cache %s is larger than %d MB in all", dir, maxCompileCache>>20)
			}
			if err != nil {
				return nil, fmt.Errorf("read the compile cache: %w", err)
			}
			left -= int64(len(content))
			files[tag.Name()+"/"+e.Name()] = content
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no compile cache of Node's", dir)
	}
	return files, nil
}

func compileCacheLayer(mediaType types.MediaType, files map[string][]byte) (v1.Layer, error) {
	placed := map[string][]byte{}
	for file, code := range files {
		placed[CompileCachePath+"/"+file] = code
	}
	return appLayer(mediaType, nil, placed)
}

// checkCompileCache holds names against those that ReadCompileCache gives.
func checkCompileCache(files map[string][]byte) error {
	for file := range files {
		if tag, name, _ := strings.Cut(file, "/"); !settings.CompileCacheTag.MatchString(tag) || !compiled.MatchString(name) {
			return fmt.Errorf("compile cache: %q is no file of Node's", file)
		}
	}
	return nil
}
