package bootstrap

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
)

const compileCache = settings.CompileCacheVariable

// withCompileCache has the app's Node find in an image what another user has filled: in a directory of links by names of
// this user's own. Where it has that already, or nobody's is there, the variable stays.
func withCompileCache(env []string) ([]string, error) {
	dir, _ := settings.Lookup(env)(compileCache)
	if dir == "" {
		return env, nil
	}
	links, err := filledByOthers(dir, strconv.Itoa(os.Getuid()))
	if err != nil || len(links) == 0 {
		return env, err
	}
	own, err := os.MkdirTemp("", "sluice-compile-cache-")
	if err != nil {
		return env, fmt.Errorf("%s: %w", compileCache, err)
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(own, name)); err != nil {
			return env, errors.Join(fmt.Errorf("%s: %w", compileCache, err), os.RemoveAll(own))
		}
	}
	return append(without(env, compileCache), compileCache+"="+own), nil
}

// filledByOthers are the directories of others by the name that they have for a user, together with the user's own, or none
// where nothing would be added.
func filledByOthers(dir, user string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // Node makes it
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", compileCache, err)
	}
	links, added := map[string]string{}, false
	for _, own := range []bool{true, false} { // which go first
		for _, e := range entries {
			m := settings.CompileCacheTag.FindStringSubmatch(e.Name())
			if m == nil || !e.IsDir() || (m[2] == user) != own {
				continue
			}
			if _, has := links[m[1]+user]; !has {
				links[m[1]+user] = filepath.Join(dir, e.Name())
				added = added || !own
			}
		}
	}
	if !added {
		return nil, nil
	}
	return links, nil
}
