package plugin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"golang.org/x/mod/sumdb/dirhash"

	"github.com/aproorg/sluice/internal/bounded"
)

// LockFile holds, beside a root module, the checksums of its providers.
// https://opentofu.org/docs/language/files/dependency-lock/
const LockFile = ".terraform.lock.hcl"

// maxLockFile bounds what is read of it; a provider takes about 2 kB there.
const maxLockFile = 4 << 20

// Relock makes an installed file of Install acceptable to the root module at
// dir. Where the lock file knows this provider with other bytes only, as after
// an upgrade of sluice within one version, the next init would refuse it: then
// its entry is removed, for init to write it anew. No other entry is touched.
func Relock(dir, installed string) error {
	path := filepath.Join(dir, LockFile)
	text, err := bounded.ReadFile(path, maxLockFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the lock file: %w", err)
	}
	sum, err := dirhash.HashDir(filepath.Dir(installed), "", dirhash.Hash1)
	if err != nil {
		return fmt.Errorf("sum up the Terraform provider: %w", err)
	}
	if strings.Contains(string(text), `"`+sum+`"`) {
		return nil
	}
	without, changed, err := withoutProvider(text)
	if err != nil {
		return fmt.Errorf("read the lock file %s: %w", path, err)
	}
	if !changed {
		return nil
	}
	return os.WriteFile(path, without, 0o644)
}

func withoutProvider(text []byte) ([]byte, bool, error) {
	file, diags := hclwrite.ParseConfig(text, LockFile, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, false, diags
	}
	changed := false
	for _, registry := range registries {
		if block := file.Body().FirstMatchingBlock("provider", []string{registry + "/aproorg/sluice"}); block != nil {
			changed = file.Body().RemoveBlock(block) || changed
		}
	}
	if !changed {
		return text, false, nil
	}
	return file.Bytes(), true, nil
}
