package image

import (
	"bytes"
	"crypto/x509"
	"debug/elf"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// What is read of a user's files, in bytes.
const (
	MaxBootstrap = 64 << 20 // a Go program of any size that starts in time
	MaxCABundle  = 4 << 20  // all public authorities take 0.3 MB
)

// checkExecutable catches a bootstrap of another architecture here, because on
// Lambda it would be an "exec format error" after minutes.
func checkExecutable(content []byte, arch string) error {
	if len(content) == 0 {
		return errors.New("no bootstrap given")
	}
	file, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("the bootstrap is no Linux executable: %w", err)
	}
	want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]
	if file.Machine != want {
		return fmt.Errorf("the bootstrap is for %v, the image for %s", file.Machine, arch)
	}
	return nil
}

func checkPEM(content []byte) error {
	if len(content) == 0 {
		return nil
	}
	count := 0
	for rest := content; ; count++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("the CA bundle holds a %s: give certificates only", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("certificate %d of the CA bundle: %w", count+1, err)
		}
	}
	if count == 0 {
		return errors.New("the CA bundle holds no PEM certificate")
	}
	return nil
}

func checkFiles(files map[string][]byte) error {
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if path.Dir(file) != Directory || path.Clean(file) != file || file == BootstrapPath || file == CABundlePath {
			return fmt.Errorf("file %q: give another file of %s itself", file, Directory)
		}
	}
	return nil
}

func checkLinks(links []Link) error {
	seen := map[string]bool{}
	for _, link := range links {
		clean := path.Clean(link.Path)
		switch {
		case !path.IsAbs(link.Path) || clean != link.Path || clean == "/":
			return fmt.Errorf("link %q: give a clean absolute path", link.Path)
		case strings.HasPrefix(clean, Directory+"/") || clean == Directory:
			return fmt.Errorf("link %q: %s is Sluice's own", link.Path, Directory)
		case !path.IsAbs(link.Target) || path.Clean(link.Target) != link.Target:
			return fmt.Errorf("link %q: target %q is no clean absolute path", link.Path, link.Target)
		case seen[clean]:
			return fmt.Errorf("link %q is given twice", link.Path)
		}
		seen[clean] = true
	}
	for _, link := range links {
		for parent := path.Dir(link.Path); parent != "/"; parent = path.Dir(parent) {
			if seen[parent] {
				return fmt.Errorf("link %q lies below the link %q", link.Path, parent)
			}
		}
	}
	return nil
}
