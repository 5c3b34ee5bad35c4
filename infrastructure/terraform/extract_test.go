package terraform

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/aproorg/sluice/internal/stack"
)

// extractFile is what package stack embeds; `go generate ./internal/stack` makes it.
var extractFile = filepath.Join("..", "..", "internal", "stack", "default.json")

// TestExtractFresh fails when the HCL changed and the embedded extract did not.
// Comments do not count.
func TestExtractFresh(t *testing.T) {
	data, err := os.ReadFile(extractFile)
	if err != nil {
		t.Fatal(err)
	}
	var extract struct {
		HCL string `json:"hcl"`
	}
	if err := json.Unmarshal(data, &extract); err != nil {
		t.Fatal(err)
	}
	if got := fingerprint(t); extract.HCL != got {
		t.Errorf("%s is of HCL %s, which is now %s: go generate ./internal/stack (where tofu and moto_server are)", extractFile, extract.HCL, got)
	}
	if _, err := stack.Parse(data); err != nil {
		t.Error(err)
	}
}

// apart is what environments/dev has no part in.
var apart = regexp.MustCompile(`^(modules/(monitoring|deployer|github)|environments/(prod|ci))/`)

// fingerprint is a hash of all that a plan is made of: tokens of the HCL without
// comments and layout, functions, and the example's variables.
func fingerprint(t *testing.T) string {
	t.Helper()
	sum := sha256.New()
	err := fs.WalkDir(Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || apart.MatchString(name) || filepath.Ext(name) == ".md" {
			return err
		}
		data, err := fs.ReadFile(Files, name)
		if err != nil {
			return err
		}
		fmt.Fprintln(sum, name)
		if filepath.Ext(name) != ".tf" {
			sum.Write(data)
			return nil
		}
		tokens, _ := hclsyntax.LexConfig(data, name, hcl.InitialPos)
		for _, token := range tokens {
			if token.Type != hclsyntax.TokenComment && token.Type != hclsyntax.TokenNewline {
				fmt.Fprintln(sum, string(token.Bytes))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("sha256:%x", sum.Sum(nil))
}

// TestExtract plans environments/dev and holds the embedded extract to it; with
// -update it writes the extract.
func TestExtract(t *testing.T) {
	a := emulated(t)
	_, raw := a.planned(t, a.environment(t, nil))
	raw = a.withoutAccount(t, raw)
	extract := prune(t, raw)
	if *update {
		if err := os.WriteFile(extractFile, extract, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, _ := os.ReadFile(extractFile)
	if diff := cmp.Diff(string(want), string(extract)); diff != "" {
		t.Errorf("%s is not what the plan gives: go generate ./internal/stack\n%s", extractFile, diff)
	}
	whole, err := stack.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	part, err := stack.Parse(extract)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole, part); diff != "" {
		t.Errorf("the extract says other than the plan:\n%s", diff)
	}
}

var (
	imageDigest = regexp.MustCompile(`(librechat-dev@sha256:)[0-9a-f]{64}`)
	keyPrefix   = regexp.MustCompile(`("REDIS_KEY_PREFIX":")[0-9a-f]{12}"`)
)

// withoutAccount puts the example's ids in place of those of the emulated account,
// and zeros where the bootstrap's bytes would show.
func (a *account) withoutAccount(t *testing.T, raw []byte) []byte {
	t.Helper()
	data, _ := fs.ReadFile(Files, "environments/dev/terraform.tfvars.json")
	example := map[string]any{}
	if err := json.Unmarshal(data, &example); err != nil {
		t.Fatal(err)
	}
	var pairs []string
	pair(a.tfvars, example, &pairs)
	raw = []byte(strings.NewReplacer(append(pairs, "oci:"+a.base, example["image"].(string))...).Replace(string(raw)))
	raw = imageDigest.ReplaceAll(raw, []byte("${1}"+strings.Repeat("0", 64)))
	return keyPrefix.ReplaceAll(raw, []byte(`${1}000000000000"`))
}

// pair lists the strings of two trees that stand at the same place.
func pair(have, want any, pairs *[]string) {
	switch have := have.(type) {
	case map[string]any:
		want, _ := want.(map[string]any)
		for key := range have {
			pair(have[key], want[key], pairs)
		}
	case []any:
		want, _ := want.([]any)
		for i := range have {
			if i < len(want) {
				pair(have[i], want[i], pairs)
			}
		}
	case string:
		if want, ok := want.(string); ok && want != have {
			*pairs = append(*pairs, have, want)
		}
	}
}

// kept are the types that package stack reads, and those that the graph draws.
var kept = []string{
	"aws_api_gateway_", "aws_cloudfront_", "aws_lambda_function", "aws_lambda_alias", "aws_lambda_provisioned_concurrency_config",
	"aws_s3_bucket", "aws_elasticache_replication_group", "sluice_image",
}

var dropped = []string{
	"aws_api_gateway_account", "aws_api_gateway_deployment", "aws_api_gateway_method_response", "aws_cloudfront_origin_access_control",
	"aws_s3_bucket_policy", "aws_s3_bucket_public_access_block",
}

func keep(kind string) bool {
	return !slices.Contains(dropped, kind) && slices.ContainsFunc(kept, func(k string) bool {
		return kind == k || strings.HasSuffix(k, "_") && strings.HasPrefix(kind, k) || strings.HasPrefix(kind, k+"_cors") || strings.HasPrefix(kind, k+"_lifecycle")
	})
}

// prune leaves of a plan what package stack reads.
func prune(t *testing.T, raw []byte) []byte {
	t.Helper()
	var plan struct {
		FormatVersion string         `json:"format_version"`
		Planned       map[string]any `json:"planned_values"`
		Configuration map[string]any `json:"configuration"`
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&plan); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	err := encoder.Encode(struct {
		FormatVersion string         `json:"format_version"`
		HCL           string         `json:"hcl"`
		Planned       map[string]any `json:"planned_values"`
		Configuration map[string]any `json:"configuration"`
	}{
		plan.FormatVersion,
		fingerprint(t),
		map[string]any{"root_module": pruneValues(plan.Planned["root_module"].(map[string]any))},
		map[string]any{"root_module": pruneConfig(plan.Configuration["root_module"].(map[string]any))},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func pruneValues(module map[string]any) map[string]any {
	out := map[string]any{}
	if address, ok := module["address"]; ok {
		out["address"] = address
	}
	var resources, children []any
	for _, r := range list(module, "resources") {
		r := r.(map[string]any)
		if r["mode"] != "managed" || !keep(r["type"].(string)) {
			continue
		}
		values := filled(r["values"]).(map[string]any)
		sortSubnets(values)
		for _, name := range []string{"tags", "tags_all", "region", "description", "comment"} {
			delete(values, name)
		}
		if r["type"] == "sluice_image" {
			values = map[string]any{"uri": values["uri"], "added_environment": values["added_environment"]}
		}
		resources = append(resources, map[string]any{"address": r["address"], "mode": "managed", "type": r["type"], "name": r["name"], "index": r["index"], "values": values})
	}
	for _, child := range list(module, "child_modules") {
		if c := pruneValues(child.(map[string]any)); c["resources"] != nil || c["child_modules"] != nil {
			children = append(children, c)
		}
	}
	slices.SortFunc(children, func(a, b any) int { // a plan has modules in any order
		return strings.Compare(a.(map[string]any)["address"].(string), b.(map[string]any)["address"].(string))
	})
	return filled(merge(out, map[string]any{"resources": resources, "child_modules": children})).(map[string]any)
}

// sortSubnets orders what is a set: a plan has it in the order of the account's
// own ids, which are no longer there.
func sortSubnets(values map[string]any) {
	for _, network := range list(values, "vpc_config") {
		slices.SortFunc(list(network.(map[string]any), "subnet_ids"), func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
}

// pruneConfig leaves references, by which what is yet unknown is followed.
func pruneConfig(module map[string]any) map[string]any {
	var resources []any
	for _, r := range list(module, "resources") {
		r := r.(map[string]any)
		if r["mode"] == "managed" && keep(r["type"].(string)) {
			resources = append(resources, map[string]any{"address": r["address"], "mode": "managed", "type": r["type"], "name": r["name"], "expressions": onlyReferences(links(r["expressions"]))})
		}
	}
	calls := map[string]any{}
	declaredCalls, _ := module["module_calls"].(map[string]any)
	for name, call := range declaredCalls {
		call := call.(map[string]any)
		child := pruneConfig(call["module"].(map[string]any))
		if child["resources"] == nil && child["module_calls"] == nil {
			continue
		}
		calls[name] = map[string]any{"source": call["source"], "expressions": onlyReferences(call["expressions"]), "module": child}
	}
	outputs := map[string]any{}
	declared, _ := module["outputs"].(map[string]any)
	for name, o := range declared {
		if e := onlyReferences(o.(map[string]any)["expression"]); e != nil {
			outputs[name] = map[string]any{"expression": e}
		}
	}
	return filled(map[string]any{"resources": resources, "module_calls": calls, "outputs": outputs}).(map[string]any)
}

// links leaves the attributes by which one resource points at another.
func links(expressions any) any {
	out := map[string]any{}
	all, _ := expressions.(map[string]any)
	for name, e := range all {
		if _, block := e.([]any); block || slices.Contains([]string{"uri", "image_uri", "bucket", "http_method", "function_name", "qualifier"}, name) || strings.HasSuffix(name, "_id") {
			out[name] = e
		}
	}
	return out
}

func onlyReferences(expression any) any {
	switch e := expression.(type) {
	case map[string]any:
		if references, ok := e["references"]; ok {
			return map[string]any{"references": references}
		}
		out := map[string]any{}
		for name, inner := range e {
			if got := onlyReferences(inner); got != nil {
				out[name] = got
			}
		}
		if len(out) > 0 {
			return out
		}
	case []any:
		var out []any
		for _, inner := range e {
			if got := onlyReferences(inner); got != nil {
				out = append(out, got)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

// filled drops what is null or empty.
func filled(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, inner := range v {
			if got := filled(inner); got != nil {
				out[name] = got
			}
		}
		return out
	case []any:
		var out []any
		for _, inner := range v {
			out = append(out, filled(inner))
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case string:
		if v == "" {
			return nil
		}
	}
	if v == nil || reflect.ValueOf(v).Kind() == reflect.Map && reflect.ValueOf(v).Len() == 0 {
		return nil
	}
	return v
}

func merge(a, b map[string]any) map[string]any {
	for name, v := range b {
		a[name] = v
	}
	return a
}
