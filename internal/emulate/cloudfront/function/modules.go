package function

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"

	"github.com/dop251/goja"
)

// modules are the built-in modules of CloudFront Functions that are emulated.
var modules = []string{"crypto", "querystring"}

func module(vm *goja.Runtime, name string) (goja.Value, error) {
	switch name {
	case "crypto":
		return cryptoModule(vm), nil
	case "querystring":
		return vm.RunProgram(querystringModule)
	}
	return nil, fmt.Errorf("cannot find module %q", name)
}

var hashes = map[string]func() hash.Hash{"md5": md5.New, "sha1": sha1.New, "sha256": sha256.New}

func cryptoModule(vm *goja.Runtime) goja.Value {
	m := vm.NewObject()
	m.Set("createHash", func(algorithm string) (goja.Value, error) {
		newHash, ok := hashes[algorithm]
		if !ok {
			return nil, fmt.Errorf("not supported algorithm: %q", algorithm)
		}
		return hashObject(vm, newHash()), nil
	})
	m.Set("createHmac", func(algorithm, key string) (goja.Value, error) {
		newHash, ok := hashes[algorithm]
		if !ok {
			return nil, fmt.Errorf("not supported algorithm: %q", algorithm)
		}
		return hashObject(vm, hmac.New(newHash, []byte(key))), nil
	})
	return m
}

func hashObject(vm *goja.Runtime, h hash.Hash) goja.Value {
	o := vm.NewObject()
	o.Set("update", func(data string) goja.Value {
		h.Write([]byte(data))
		return o
	})
	o.Set("digest", func(encoding string) (string, error) {
		switch sum := h.Sum(nil); encoding {
		case "hex":
			return hex.EncodeToString(sum), nil
		case "base64":
			return base64.StdEncoding.EncodeToString(sum), nil
		case "base64url":
			return base64.RawURLEncoding.EncodeToString(sum), nil
		}
		return "", fmt.Errorf("digest encoding %q is not emulated", encoding)
	})
	return o
}

// querystringModule follows the section "Query string" of "JavaScript runtime
// features".
var querystringModule = goja.MustCompile("querystring", `(function () {
	var escape = encodeURIComponent;
	var unescape = function (s) { try { return decodeURIComponent(s); } catch (e) { return s; } };
	function parse(s, separator, equal, options) {
		var decode = (options && options.decodeURIComponent) || unescape;
		var limit = options && options.maxKeys !== undefined ? options.maxKeys : 1000;
		var out = {}, pairs = s === "" ? [] : s.split(separator || "&");
		if (limit > 0) pairs = pairs.slice(0, limit);
		pairs.forEach(function (pair) {
			var at = pair.indexOf(equal || "=");
			var name = decode(at < 0 ? pair : pair.slice(0, at));
			var value = at < 0 ? "" : decode(pair.slice(at + (equal || "=").length));
			if (!Object.prototype.hasOwnProperty.call(out, name)) out[name] = value;
			else out[name] = [].concat(out[name], value);
		});
		return out;
	}
	function stringify(o, separator, equal, options) {
		var encode = (options && options.encodeURIComponent) || escape;
		var out = [];
		Object.keys(o).forEach(function (name) {
			[].concat(o[name]).forEach(function (v) { out.push(encode(name) + (equal || "=") + encode(v)); });
		});
		return out.join(separator || "&");
	}
	return { escape: escape, unescape: unescape, parse: parse, decode: parse, stringify: stringify, encode: stringify };
})()`, false)
