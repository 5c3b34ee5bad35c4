package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/hint"
)

// TestFunctionsProgram: the program bootstrap of a directory, or what to do without.
func TestFunctionsProgram(t *testing.T) {
	dir := t.TempDir()
	start := func() (string, string, error) {
		a, err := app.Request{Getenv: os.Getenv}.LambdaFunction(dir, "", nil)
		return strings.Join(a.Command, " "), hint.Of(err), err
	}
	if _, advice, err := start(); err == nil || !strings.Contains(advice, "--command") {
		t.Errorf("no program: %v, %q", err, advice)
	}
	file := filepath.Join(dir, "bootstrap")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, advice, err := start(); err == nil || !strings.Contains(advice, "chmod +x") {
		t.Errorf("no executable one: %v, %q", err, advice)
	}
	if err := os.Chmod(file, 0o700); err != nil {
		t.Fatal(err)
	}
	if command, _, err := start(); err != nil || command != "./bootstrap" {
		t.Errorf("a program: %q, %v", command, err)
	}
}
