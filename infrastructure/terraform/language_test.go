package terraform

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/aproorg/sluice/internal/provider/plugin"
)

// TestLanguage: the modules use no function, block or reference that Terraform 1.5.7 does not
// have, the oldest that is promised. The functions are those of its own `terraform metadata
// functions -json`.
func TestLanguage(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "functions-1.5.7.txt"))
	if err != nil {
		t.Fatal(err)
	}
	functions := append(strings.Fields(string(data)), "any", "bool", "list", "map", "number", "object", "optional", "set", "string", "tuple") // and what types are written by
	blocks := []string{"terraform", "provider", "variable", "locals", "resource", "data", "module", "output", "check"}
	for _, m := range modules(t) {
		for _, b := range m.blocks {
			if !slices.Contains(blocks, b.Type) {
				t.Errorf("%s: a block %s is not in every version that is promised", b.TypeRange, b.Type)
			}
			hclsyntax.VisitAll(b.Body, func(n hclsyntax.Node) hcl.Diagnostics {
				if call, ok := n.(*hclsyntax.FunctionCallExpr); ok && !slices.Contains(functions, call.Name) {
					t.Errorf("%s: Terraform 1.5.7 has no function %s", call.NameRange, call.Name)
				}
				return nil
			})
			if b.Type == "variable" { // from 1.9 on a validation may look at other variables
				m.validatesItself(t, b)
			}
		}
	}
}

// validatesItself: a variable's validations look at nothing but the variable.
func (m *module) validatesItself(t *testing.T, variable *hclsyntax.Block) {
	t.Helper()
	own := "var." + variable.Labels[0]
	for _, v := range variable.Body.Blocks {
		hclsyntax.VisitAll(v.Body, func(n hclsyntax.Node) hcl.Diagnostics {
			e, ok := n.(*hclsyntax.ScopeTraversalExpr)
			if !ok {
				return nil
			}
			name := dotted(e.Traversal)
			if root := e.Traversal.RootName(); slices.Contains([]string{"var", "local", "data", "module"}, root) && name != own && !strings.HasPrefix(name, own+".") {
				t.Errorf("%s: a validation of %s looks at %s, which Terraform 1.5.7 refuses", e.SrcRange, own, name)
			}
			return nil
		})
	}
}

// TestPrograms has each program of SLUICE_TERRAFORMS (a list as PATH is), and terraform and tofu
// of PATH, validate the environments: dev, account and ci from 1.5.7 on, prod from 1.10.
func TestPrograms(t *testing.T) {
	long(t)
	needTofu(t)
	programs := filepath.SplitList(os.Getenv("SLUICE_TERRAFORMS"))
	for _, name := range []string{"tofu", "terraform"} {
		if path, err := exec.LookPath(name); err == nil {
			programs = append(programs, path)
		}
	}
	config := everyRegistry(t)
	for _, program := range programs {
		env := append(os.Environ(), "TF_CLI_CONFIG_FILE="+config, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1")
		run := func(dir string, args ...string) (string, error) {
			cmd := exec.CommandContext(t.Context(), program, args...)
			cmd.Dir, cmd.Env = dir, env
			out, err := cmd.CombinedOutput()
			return string(out), err
		}
		version, err := run(t.TempDir(), "version")
		if err != nil {
			t.Errorf("%s: %v\n%s", program, err, version)
			continue
		}
		version, _, _ = strings.Cut(version, "\n")
		t.Run(version, func(t *testing.T) {
			_, number, _ := strings.Cut(version, " v")
			old := slices.ContainsFunc([]string{"1.5.", "1.6.", "1.7.", "1.8.", "1.9."}, func(p string) bool { return strings.HasPrefix(number, p) })
			root := tree(t)
			for _, environment := range []string{"dev", "account", "ci", "prod"} {
				dir := filepath.Join(root, "environments", environment)
				out, err := run(dir, "init", "-backend=false", "-no-color", "-input=false")
				if environment == "prod" && old {
					if err == nil || !strings.Contains(out, ">= 1.10.0") {
						t.Errorf("prod: %v\n%s", err, out)
					}
					continue
				}
				if err == nil {
					out, err = run(dir, "validate", "-no-color")
				}
				if err != nil {
					t.Errorf("%s: %v\n%s", environment, err, complaint(out))
				}
			}
		})
	}
}

// tree is a copy of the HCL, with prod's links to dev.
func tree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, Files); err != nil {
		t.Fatal(err)
	}
	for _, name := range linked {
		if err := os.Symlink("../dev/"+name, filepath.Join(root, "environments", "prod", name)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// everyRegistry is a CLI configuration for OpenTofu and Terraform, each of which looks for
// the same providers and modules at a registry of its own.
func everyRegistry(t *testing.T) string {
	t.Helper()
	const opentofu, terraform = "registry.opentofu.org", "registry.terraform.io"
	config, err := os.ReadFile(os.Getenv("TF_CLI_CONFIG_FILE"))
	if err != nil {
		t.Fatal(err)
	}
	mirror := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plugin.Install(self, providerVersion, mirror); err != nil {
		t.Fatal(err)
	}
	shared := filepath.Join(os.Getenv("TF_PLUGIN_MIRROR"), opentofu)
	files, _ := filepath.Glob(filepath.Join(shared, "hashicorp", "*", "*", "*", "*")) // name, version, platform; a mirror is searched through no link to a folder
	for _, host := range []string{opentofu, terraform} {
		for _, file := range files {
			to := filepath.Join(mirror, host, strings.TrimPrefix(file, shared))
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(file, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	i := bytes.Index(config, []byte(`host "`+opentofu))
	if i < 0 || os.Getenv("TF_PLUGIN_MIRROR") == "" {
		t.Skipf("the CLI configuration names no registry of modules, or TF_PLUGIN_MIRROR no providers; %s", howToRun)
	}
	hosts := string(config[i:])
	text := "provider_installation {\n  filesystem_mirror { path = \"" + mirror + "\" }\n}\n" + hosts + strings.ReplaceAll(hosts, opentofu, terraform)
	file := filepath.Join(t.TempDir(), "every.rc")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
