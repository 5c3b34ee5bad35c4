// Package plugin puts the sluice executable where OpenTofu and Terraform look for
// providers, under the name by which they start it, and keeps a root module's lock
// file in step.
//
// It leaves out what the provider does once it is started: see package provider.
package plugin

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/aproorg/sluice/internal/tempdir"
)

const executable = "terraform-provider-sluice"

// Started tells whether this process was started as a plugin, by the name that
// it was started under: the first of its arguments.
func Started(arg0 string) bool {
	return strings.HasPrefix(filepath.Base(arg0), executable)
}

// registries are where each tool looks "aproorg/sluice" up.
var registries = []string{"registry.opentofu.org", "registry.terraform.io"}

// Install puts the executable file binary into the mirror directory dir (see
// Places) as the provider's version, such as 1.2.3, for both tools. It
// returns the files. Ones that are the same already stay untouched.
func Install(binary, version, dir string) ([]string, error) {
	var installed []string
	for _, registry := range registries {
		place := filepath.Join(dir, registry, "aproorg", "sluice", version, runtime.GOOS+"_"+runtime.GOARCH)
		path := filepath.Join(place, executable+"_v"+version)
		if err := install(binary, path); err != nil {
			return installed, fmt.Errorf("install the Terraform provider: %w", err)
		}
		installed = append(installed, path)
	}
	return installed, nil
}

// install copies: a link would break, or change, with the next upgrade. The
// file is renamed into place, because the old one may be running.
func install(from, to string) error {
	same, err := equal(from, to)
	if err != nil || same {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	tempdir.RemoveStale(filepath.Join(filepath.Dir(to), ".partial-*"))
	target, err := os.CreateTemp(filepath.Dir(to), ".partial-*")
	if err != nil {
		return err
	}
	defer os.Remove(target.Name())
	_, err = io.Copy(target, source)
	if err := errors.Join(err, target.Chmod(0o755), target.Close()); err != nil {
		return err
	}
	return os.Rename(target.Name(), to)
}

func equal(from, to string) (bool, error) {
	wanted, err := sum(from)
	if err != nil {
		return false, err
	}
	have, err := sum(to)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return bytes.Equal(wanted, have), err
}

func sum(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	hash := sha256.New()
	_, err = io.Copy(hash, file)
	return hash.Sum(nil), err
}
