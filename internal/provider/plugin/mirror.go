package plugin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl"

	"github.com/aproorg/sluice/internal/bounded"
	"github.com/aproorg/sluice/internal/hint"
)

// Places returns the directories for Install: the one where OpenTofu and
// Terraform look by themselves, and, where a CLI configuration says explicitly
// where providers come from, the first directory there that may hold this one,
// since the former is then not searched.
// https://opentofu.org/docs/cli/config/config-file/#explicit-installation-method-configuration
func Places(getenv func(string) string) ([]string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, fmt.Errorf("find the plugin directory: %w", err)
	}
	implied := filepath.Join(home, ".terraform.d", "plugins")
	places := []string{implied}
	for _, file := range configFiles(getenv, home) {
		text, err := bounded.ReadFile(file, maxConfig)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the CLI configuration: %w", err)
		}
		place, err := explicitPlace(string(text))
		if errors.Is(err, errNoPlace) {
			err = hint.With(err, "add filesystem_mirror { path = %q } to its provider_installation", implied)
		}
		if err != nil {
			return nil, fmt.Errorf("CLI configuration %s: %w", file, err)
		}
		if place != "" {
			places = append(places, place)
		}
	}
	return places, nil
}

// maxConfig bounds what is read of a CLI configuration.
const maxConfig = 1 << 20

// configFiles are those that one of the two tools reads.
// https://opentofu.org/docs/cli/config/config-file/#locations
func configFiles(getenv func(string) string, home string) []string {
	for _, name := range []string{"TF_CLI_CONFIG_FILE", "TERRAFORM_CONFIG"} {
		if file := getenv(name); file != "" {
			return []string{file}
		}
	}
	config := getenv("XDG_CONFIG_HOME")
	if config == "" {
		config = filepath.Join(home, ".config")
	}
	return []string{filepath.Join(home, ".tofurc"), filepath.Join(home, ".terraformrc"), filepath.Join(config, "opentofu", "tofurc")}
}

var errNoPlace = errors.New("it names no place for the provider aproorg/sluice, which no registry has")

// explicitPlace is empty where text leaves the places to the tool, or takes the
// provider from elsewhere. The tools parse the file by the same library.
func explicitPlace(text string) (string, error) {
	var config map[string]any
	if err := hcl.Decode(&config, text); err != nil {
		return "", err
	}
	installations := blocks(config, "provider_installation")
	for _, installation := range installations {
		for _, override := range blocks(installation, "dev_overrides") {
			for source := range override {
				if matches(source) {
					return "", nil
				}
			}
		}
		for _, d := range blocks(installation, "filesystem_mirror") {
			if dir, ok := d["path"].(string); ok && dir != "" && admits(d) {
				return dir, nil
			}
		}
		if slices.ContainsFunc(blocks(installation, "network_mirror"), admits) {
			return "", nil
		}
	}
	if len(installations) > 0 {
		return "", errNoPlace
	}
	return "", nil
}

// blocks are the blocks of a name; anything else under it is for the tool to refuse.
func blocks(in map[string]any, name string) []map[string]any {
	all, _ := in[name].([]map[string]any)
	return all
}

// admits tells whether an installation method is used for the provider.
func admits(method map[string]any) bool {
	include, some := method["include"].([]any)
	exclude, _ := method["exclude"].([]any)
	return (!some || slices.ContainsFunc(include, matches)) && !slices.ContainsFunc(exclude, matches)
}

// matches takes [HOST/]NAMESPACE/TYPE, of which each part may be a star.
func matches(source any) bool {
	pattern, _ := source.(string)
	if strings.Count(pattern, "/") == 1 {
		pattern = "*/" + pattern
	}
	for _, registry := range registries {
		if ok, err := path.Match(pattern, registry+"/aproorg/sluice"); ok && err == nil {
			return true
		}
	}
	return false
}
