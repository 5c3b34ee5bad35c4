// Package uploadscript has the script that a page loads before any other, so that its large requests go by way of S3 (package
// bootstrap/uploads takes them): the one copy for the site that is uploaded and for the path at which the bootstrap serves it.
//
// It leaves out where a page names it, which package site does.
package uploadscript

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
)

//go:embed uploads.js
var script []byte

// Script is the script's source. The caller must not change it.
func Script() []byte { return script }

// Name is a file name that differs between scripts, as a front end's hashed assets do.
func Name() string {
	sum := sha256.Sum256(script)
	return "sluice-uploads." + hex.EncodeToString(sum[:6]) + ".js"
}
