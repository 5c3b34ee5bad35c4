package sandbox

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aproorg/sluice/internal/hint"
)

// Lambda's /tmp is empty at first, and so is a sandbox's, which hides the machine's.
// A program that lies below the machine's /tmp, or is reached through a link there, is
// still to be found with all that it looks for beside itself and above (node_modules of
// a workspace, ../config): the entry of /tmp that it lies in is seen whole.

const tmpDir = "/tmp"

// tmpView is what of the machine's /tmp is seen in a sandbox's.
type tmpView struct {
	shown []string          // paths, read-only
	links map[string]string // links, with their targets
}

// add takes the entries of /tmp that the way to path leads through.
func (v *tmpView) add(path string) {
	for _, entry := range entriesOnTheWay(path) {
		if target, err := os.Readlink(entry); err == nil {
			v.links[entry] = target
		} else if exists(entry) {
			v.shown = append(v.shown, entry)
		}
	}
}

// maxLinks is what the kernel follows: https://man7.org/linux/man-pages/man7/path_resolution.7.html
const maxLinks = 40

// entriesOnTheWay resolves path as the kernel does, and returns each entry of /tmp that
// it comes by. Where it leads to nothing, it returns those up to there.
func entriesOnTheWay(path string) []string {
	if !filepath.IsAbs(path) {
		return nil
	}
	var entries []string
	at, rest := "/", path
	for links := 0; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		if name == "" || name == "." {
			continue
		}
		if name == ".." {
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		if at == tmpDir {
			entries = append(entries, next)
		}
		target, err := os.Readlink(next)
		if err != nil { // no link
			at = next
			continue
		}
		if links++; links > maxLinks {
			break
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = target + "/" + rest
	}
	return entries
}

// viewOfTmp finds what the command needs: its directory, its programs and their
// search path, the links among the app's files, and what is visible anyway.
func (s *Spec) viewOfTmp() tmpView {
	v := tmpView{links: map[string]string{}}
	if s.Root == "" {
		for _, path := range slices.Concat([]string{s.Dir}, s.Command, s.searchPath()) {
			v.add(path)
		}
		for dir := s.Dir; filepath.IsAbs(dir); dir = filepath.Dir(dir) {
			v.addLinks(dir)
			if dir == "/" {
				break
			}
		}
	}
	for _, path := range s.Visible {
		if within(filepath.Clean(path), tmpDir) && exists(path) {
			v.shown = append(v.shown, path)
		}
	}
	v.shown = slices.DeleteFunc(v.shown, func(p string) bool { return slices.Contains(s.Writable, p) })
	slices.Sort(v.shown)
	v.shown = slices.Compact(v.shown)
	return v
}

// addLinks follows the links of an app in dir to its modules: in the directory itself,
// and in node_modules.
func (v *tmpView) addLinks(dir string) {
	modules := filepath.Join(dir, "node_modules")
	v.add(modules)
	for _, in := range []string{dir, modules} {
		if in == "/" || in == tmpDir {
			continue
		}
		entries, _ := os.ReadDir(in)
		for _, entry := range entries {
			path := filepath.Join(in, entry.Name())
			if entry.Type()&fs.ModeSymlink != 0 {
				v.add(path)
			}
			if in != modules || !strings.HasPrefix(entry.Name(), "@") {
				continue
			}
			scoped, _ := os.ReadDir(path)
			for _, module := range scoped {
				if module.Type()&fs.ModeSymlink != 0 {
					v.add(filepath.Join(path, module.Name()))
				}
			}
		}
	}
}

// searchPath are the directories of PATH.
func (s *Spec) searchPath() []string {
	for _, entry := range s.Env {
		if path, ok := strings.CutPrefix(entry, "PATH="); ok {
			return filepath.SplitList(path)
		}
	}
	return nil
}

// place makes in the group's /tmp what can be mounted over with each path that is shown
// or writable, and the links.
func (g *Group) place(v tmpView, writable []string) error {
	for _, path := range slices.Concat(v.shown, writable) {
		if rel, ok := strings.CutPrefix(path, tmpDir+"/"); ok {
			if err := placeholder(path, g.reach(filepath.Join(g.tmp, rel))); err != nil {
				return err
			}
		}
	}
	for link, target := range v.links {
		at := g.reach(filepath.Join(g.tmp, strings.TrimPrefix(link, tmpDir)))
		if old, err := os.Readlink(at); err == nil && old == target { // of an earlier process
			continue
		}
		if err := os.Symlink(target, at); err != nil {
			return err
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// placeholder makes at the path what can be mounted over with source.
func placeholder(source, path string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	return makePlace(path, info.IsDir())
}

// Check refuses a command that would not find its files in a sandbox's /tmp, or could
// not write there: writes are paths that it makes itself.
func (h *Host) Check(s Spec, writes []string) error {
	if !h.namespaces || s.Root != "" {
		return nil
	}
	if real, err := filepath.EvalSymlinks(s.Dir); err == nil && real == tmpDir {
		return hint.With(fmt.Errorf("the app's directory is %s, and each environment has a %s of its own, as on Lambda", s.Dir, tmpDir),
			"move the app into a directory of its own; one below %s will do", tmpDir)
	}
	view := s.viewOfTmp()
	for _, path := range writes {
		for _, shown := range view.shown {
			if path == shown || within(path, shown) && !slices.ContainsFunc(slices.Concat(s.Writable, s.Scratch), func(p string) bool { return path == p || within(path, p) }) {
				return hint.With(fmt.Errorf("%s is written to in each environment, but %s is read-only there, for what is run lies in it", path, shown),
					"rename %s, or move it out of %s", shown, tmpDir)
			}
		}
	}
	return nil
}
