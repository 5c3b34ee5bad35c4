package source

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/aproorg/sluice/internal/bounded"
)

// The library reads an index, a manifest and a configuration on disk whole, whatever
// their size. So each is looked at before.

// maxManifest bounds an index or a manifest, of which a registry takes as much.
const maxManifest = maxConfig

// CheckLayout refuses an OCI layout in dir that holds a larger index, manifest or configuration.
func CheckLayout(dir string) error {
	text, err := readSmall(filepath.Join(dir, "index.json"))
	if err != nil {
		return err
	}
	return checkIndex(dir, text, maxDepth)
}

func checkIndex(dir string, text []byte, depth int) error {
	if depth == 0 {
		return nil // what follows is not read
	}
	var index struct{ Manifests []v1.Descriptor }
	if json.Unmarshal(text, &index) != nil {
		return nil // its reader says what is wrong
	}
	for _, entry := range index.Manifests {
		if !entry.MediaType.IsIndex() && !entry.MediaType.IsImage() {
			continue
		}
		text, err := readSmall(blob(dir, entry.Digest))
		if errors.Is(err, os.ErrNotExist) {
			continue // a layout may hold one platform of several
		}
		if err != nil {
			return err
		}
		if entry.MediaType.IsIndex() {
			err = checkIndex(dir, text, depth-1)
		} else {
			err = checkConfiguration(dir, text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func checkConfiguration(dir string, manifest []byte) error {
	var m struct{ Config v1.Descriptor }
	if json.Unmarshal(manifest, &m) != nil {
		return nil
	}
	err := checkSmall(blob(dir, m.Config.Digest))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func blob(dir string, digest v1.Hash) string {
	return filepath.Join(dir, "blobs", filepath.Base(digest.Algorithm), filepath.Base(digest.Hex))
}

func readSmall(path string) ([]byte, error) {
	if err := checkSmall(path); err != nil {
		return nil, err
	}
	return bounded.ReadFile(path, maxManifest)
}

// checkSmall looks at a file without opening it: to open a FIFO would wait for whoever writes to it.
func checkSmall(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file", path)
	case info.Size() > maxManifest:
		return fmt.Errorf("%s has %d bytes: at most %d are read", path, info.Size(), maxManifest)
	}
	return nil
}

// checkTar is CheckLayout for the output of docker save.
func checkTar(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	// What is said once for each image, of which a file may hold several.
	var images []struct{ Config string }
	configs := map[string]bool{}
	err = eachEntry(file, func(h *tar.Header, content io.Reader) error {
		if filepath.Clean(h.Name) != "manifest.json" {
			return nil
		}
		text, err := bounded.ReadAll(content, maxManifest)
		if err != nil {
			return fmt.Errorf("%s: manifest.json: %w", path, err)
		}
		if json.Unmarshal(text, &images) != nil {
			return nil
		}
		for _, image := range images {
			configs[filepath.Clean(image.Config)] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	return eachEntry(file, func(h *tar.Header, _ io.Reader) error {
		if configs[filepath.Clean(h.Name)] && h.Size > maxConfig {
			return fmt.Errorf("%s: %s has %d bytes: at most %d are read", path, h.Name, h.Size, int64(maxConfig))
		}
		return nil
	})
}

// eachEntry skips contents by seeking. What is no tar is left to its reader, which says so.
func eachEntry(file *os.File, visit func(*tar.Header, io.Reader) error) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	for r := tar.NewReader(file); ; {
		header, err := r.Next()
		if err != nil {
			return nil
		}
		if err := visit(header, r); err != nil {
			return err
		}
	}
}
