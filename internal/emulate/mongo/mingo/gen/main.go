// Command gen bundles mingo and the JavaScript of this package's src into one script that goja runs. It takes mingo
// from npm, at the version and with the digest that stand here: `go generate ./internal/emulate/mongo/mingo`.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

const (
	version   = "7.2.7"
	integrity = "sha512-4IRY2mkJlAv/RmnLrXJyP01T6JW9tmD8NmOC7ANgTUW6B1AU8enDySHWREdMvY2yBv0xuQ1hzA1d4fEHYgDoXw=="

	maxFile = 4 << 20
)

// edit replaces what stands exactly once in one of mingo's files.
type edit struct{ file, from, to string }

// edits put MongoDB's order, equality and paths, which src has for all of BSON, in the place of mingo's for JavaScript's
// own values.
var edits = []edit{
	{"util/_internal.js", `import { hashCode } from "./_hash";`, `import { hashCode } from "./_hash";
import { HashMap, Numeric, Value, compareValues as compare, equalValues as isEqual, inner, truth as truthy } from "sluice/values.js";`},
	{"util/_internal.js", `const isScalar = (v) => isPrimitive(v) ||`, `const isScalar = (v) => isPrimitive(v) || v instanceof Value ||`},
	{"util/_internal.js", `const compare = (a, b) => mingoCmp(a, b, true);`, ``},
	{"util/_internal.js", `function isEqual(a, b) {`, `function mingoIsEqual(a, b) {`},
	{"util/_internal.js", `class HashMap extends Map {`, `class MingoHashMap extends Map {`},
	{"util/_internal.js", `function typeOf(v) {`, `function typeOf(v) {
  if (v instanceof Value) return v instanceof Numeric ? "number" : v.type;`},
	{"util/_internal.js", `const truthy = (arg, strict = true) => !!arg || strict && arg === "";`, ``},
	{"util/_internal.js", `  return obj[key];
}
function unwrap`, `  return obj[inner(key)];
}
function unwrap`},
	{"core/_internal.js", `var ProcessingMode = `, `import { get } from "sluice/paths.js";
var ProcessingMode = `},
	{"core/_internal.js", `return expr === "" ? ctx : resolve(ctx, expr);`, `return expr === "" ? ctx : get(ctx, expr);`},
	{"core/_internal.js", `result[keys[i]] = computeExpression(obj, expr[keys[i]], options);`, `const v = computeExpression(obj, expr[keys[i]], options);
      if (v !== void 0) result[keys[i]] = v;`},
	{"core/_internal.js", `result[i] = computeExpression(obj, expr[i], options);`, `const v = computeExpression(obj, expr[i], options);
      result[i] = v === void 0 ? null : v;`},
}

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal("bundle mingo: ", err)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "mingo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	files, err := fetch(dir)
	if err != nil {
		return err
	}
	for _, e := range edits {
		old := string(files["esm/"+e.file])
		if n := strings.Count(old, e.from); n != 1 {
			return fmt.Errorf("%q stands %d times in %s, not once", e.from, n, e.file)
		}
		files["esm/"+e.file] = []byte(strings.Replace(old, e.from, e.to, 1))
	}
	for name, data := range files {
		at := filepath.Join(dir, "mingo", filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, data, 0o644)); err != nil {
			return err
		}
	}
	code, err := bundle(filepath.Join(dir, "mingo", "esm"))
	if err != nil {
		return err
	}
	licence := filepath.Join("licence", "mingo@"+version) // where package notice looks
	return errors.Join(os.WriteFile("bundle.js", code, 0o644), os.RemoveAll("licence"), os.MkdirAll(licence, 0o755),
		os.WriteFile(filepath.Join(licence, "LICENSE"), files["LICENSE"], 0o644))
}

// fetch takes mingo's files from npm, and holds them against the digest.
func fetch(dir string) (map[string][]byte, error) {
	cmd := exec.Command("npm", "pack", "mingo@"+version)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("npm pack: %w: %s", err, out)
	}
	packed, err := os.ReadFile(filepath.Join(dir, "mingo-"+version+".tgz"))
	if err != nil {
		return nil, err
	}
	sum := sha512.Sum512(packed)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != integrity {
		return nil, fmt.Errorf("mingo %s has digest %s, want %s", version, got, integrity)
	}
	zipped, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for r := tar.NewReader(zipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(io.LimitReader(r, maxFile))
		if err != nil {
			return nil, err
		}
		if name := path.Clean(strings.TrimPrefix(h.Name, "package/")); filepath.IsLocal(name) {
			files[name] = data
		}
	}
}

// bundle makes one script of src, which leaves its exports in the variable mingo.
func bundle(esm string) ([]byte, error) {
	src, err := filepath.Abs("src")
	if err != nil {
		return nil, err
	}
	aliases := map[string]string{"sluice": src}
	for _, part := range []string{"aggregator", "lazy", "query", "core/_internal"} {
		aliases["mingo/"+part] = filepath.Join(esm, part+".js")
	}
	for _, part := range []string{"util", "operators/accumulator", "operators/expression", "operators/pipeline", "operators/projection", "operators/query", "operators/window"} {
		aliases["mingo/"+part] = filepath.Join(esm, filepath.FromSlash(part), "index.js")
	}
	result := api.Build(api.BuildOptions{
		EntryPoints:       []string{filepath.Join(src, "main.js")},
		Bundle:            true,
		Format:            api.FormatIIFE,
		GlobalName:        "mingo",
		Target:            api.ES2020,
		MinifySyntax:      true,
		MinifyWhitespace:  true,
		MinifyIdentifiers: false, // $match and its like are names of functions
		Charset:           api.CharsetASCII,
		Alias:             aliases,
		Banner: map[string]string{"js": "// Code generated by gen from mingo " + version + " (npm, MIT licence, in licence) and src. DO NOT EDIT.\n" +
			"// " + integrity},
	})
	if len(result.Errors) > 0 {
		return nil, errors.New(strings.Join(api.FormatMessages(result.Errors, api.FormatMessagesOptions{}), ""))
	}
	return result.OutputFiles[0].Contents, nil
}
