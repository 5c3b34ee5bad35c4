// Package variables compares the variables that a root module is given with those
// that it declares. OpenTofu and Terraform warn of a variable's misspelt name and go
// on without it, and they drop a misspelt key inside an object without a word.
//
// It reads terraform.tfvars, *.auto.tfvars and their .json forms, as both programs do,
// and leaves out what they check themselves: types, missing variables, validations.
package variables

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/zclconf/go-cty/cty"
)

// Unknown is a name that is given and not declared.
type Unknown struct {
	File  string // where it stands; empty for one that a flag gives
	Name  string // variable, or variable.key inside of an object
	Means string // the declared name that it resembles, if any
}

func (u Unknown) String() string {
	text := fmt.Sprintf("there is no variable %s", u.Name)
	if u.File != "" {
		text = fmt.Sprintf("%s: %s", u.File, text)
	}
	if u.Means != "" {
		text += fmt.Sprintf(", only %s", u.Means)
	}
	return text
}

// Check returns the unknown names in dir's files of variables and among flags, in the
// order of files and names. Files that do not parse are left to the program that plans.
func Check(dir string, flags map[string]string) ([]Unknown, error) {
	declared, err := declarations(dir)
	if err != nil {
		return nil, err
	}
	var all []Unknown
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		all = append(all, unknown("", "", []string{name}, declared)...)
	}
	files, err := valueFiles(dir)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		given, ok := values(file)
		if !ok {
			continue
		}
		name := filepath.Base(file)
		all = append(all, unknown(name, "", slices.Sorted(maps.Keys(given)), declared)...)
		for _, variable := range slices.Sorted(maps.Keys(given)) {
			if want, ok := declared[variable]; ok {
				all = append(all, inside(name, variable, given[variable], want)...)
			}
		}
	}
	return all, nil
}

// String is the value of a variable that is given as a string: by a flag, or else by
// the last file that has it, as both programs decide. Empty where neither gives one.
func String(dir string, flags map[string]string, name string) (string, error) {
	if given, ok := flags[name]; ok {
		return given, nil
	}
	files, err := valueFiles(dir)
	if err != nil {
		return "", err
	}
	found := ""
	for _, file := range files {
		given, _ := values(file)
		if v, ok := given[name]; ok && v.IsKnown() && !v.IsNull() && v.Type() == cty.String {
			found = v.AsString()
		}
	}
	return found, nil
}

// valueFiles are those that are read without being named, in the programs' order.
func valueFiles(dir string) ([]string, error) {
	var all []string
	for _, pattern := range []string{"terraform.tfvars", "terraform.tfvars.json", "*.auto.tfvars", "*.auto.tfvars.json"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, fmt.Errorf("find files of variables: %w", err)
		}
		all = append(all, found...)
	}
	return all, nil
}

// declarations are the variables of a module and their types.
func declarations(dir string) (map[string]cty.Type, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err != nil {
		return nil, fmt.Errorf("find the module's files: %w", err)
	}
	schema := &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "variable", LabelNames: []string{"name"}}}}
	all := map[string]cty.Type{}
	for _, name := range files {
		file, diagnostics := hclparse.NewParser().ParseHCLFile(name)
		if diagnostics.HasErrors() {
			continue // the program says it better
		}
		content, _, _ := file.Body.PartialContent(schema)
		for _, block := range content.Blocks {
			all[block.Labels[0]] = typeOf(block)
		}
	}
	return all, nil
}

// typeOf is a variable's type; any where it has none.
func typeOf(variable *hcl.Block) cty.Type {
	content, _, _ := variable.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "type"}}})
	attribute := content.Attributes["type"]
	if attribute == nil {
		return cty.DynamicPseudoType
	}
	constraint, _, diagnostics := typeexpr.TypeConstraintWithDefaults(attribute.Expr)
	if diagnostics.HasErrors() {
		return cty.DynamicPseudoType
	}
	return constraint
}

// values are those of a file, of either form.
func values(file string) (map[string]cty.Value, bool) {
	parse := hclparse.NewParser().ParseHCLFile
	if strings.HasSuffix(file, ".json") {
		parse = hclparse.NewParser().ParseJSONFile
	}
	if _, err := os.Stat(file); err != nil {
		return nil, false
	}
	parsed, diagnostics := parse(file)
	if diagnostics.HasErrors() {
		return nil, false
	}
	attributes, diagnostics := parsed.Body.JustAttributes()
	if diagnostics.HasErrors() {
		return nil, false
	}
	all := map[string]cty.Value{}
	for name, attribute := range attributes {
		value, diagnostics := attribute.Expr.Value(nil)
		if diagnostics.HasErrors() {
			value = cty.DynamicVal
		}
		all[name] = value
	}
	return all, true
}

// inside looks for unknown keys in a value of the type want, at any depth.
func inside(file, at string, value cty.Value, want cty.Type) []Unknown {
	if value.IsNull() || !value.IsKnown() || !value.CanIterateElements() {
		return nil
	}
	var all []Unknown
	switch {
	case want.IsObjectType() && (value.Type().IsObjectType() || value.Type().IsMapType()):
		given := value.AsValueMap()
		all = unknown(file, at+".", slices.Sorted(maps.Keys(given)), want.AttributeTypes())
		for _, key := range slices.Sorted(maps.Keys(given)) {
			if want.HasAttribute(key) {
				all = append(all, inside(file, at+"."+key, given[key], want.AttributeType(key))...)
			}
		}
	case want.IsCollectionType():
		for key, element := range value.Elements() {
			name := at
			if key.Type() == cty.String {
				name += "." + key.AsString()
			}
			all = append(all, inside(file, name, element, want.ElementType())...)
		}
	}
	return all
}

// unknown are the names that known does not have.
func unknown(file, prefix string, names []string, known map[string]cty.Type) []Unknown {
	var all []Unknown
	for _, name := range names {
		if _, ok := known[name]; ok {
			continue
		}
		u := Unknown{File: file, Name: prefix + name}
		if means := nearest(name, known); means != "" {
			u.Means = prefix + means
		}
		all = append(all, u)
	}
	return all
}

// nearest is the known name that differs least, by at most a third of it.
func nearest(name string, known map[string]cty.Type) string {
	best, least := "", len(name)/3+1
	for _, candidate := range slices.Sorted(maps.Keys(known)) {
		if d := levenshtein.Distance(name, candidate, nil); d < least {
			best, least = candidate, d
		}
	}
	return best
}
