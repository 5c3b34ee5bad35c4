package site_test

import (
	"context"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/aproorg/sluice/internal/site"
)

func TestWithUploads(t *testing.T) {
	const tag = `<script src="/assets/sluice-uploads.`
	source := fstest.MapFS{
		"index.html":       {Data: []byte("<!doctype html><!-- <head> --><html><HEAD lang='x'><base href='/'><script src=a.js></script></head><body></body></html>")},
		"deep/page.html":   {Data: []byte(`<html><head></head><body></body>`)},
		"part.html":        {Data: []byte(`<p>a part of a page, with <head> in its text`)},
		"body.html":        {Data: []byte(`<body><head></head></body>`)},
		"implied.html":     {Data: []byte("<!doctype html>\n<title>x</title>")},
		"text.txt":         {Data: []byte(`<head>`)},
		"assets/a1b2c3.js": {Data: []byte(`1`)},
	}
	for _, without := range []bool{false, true} {
		if without {
			delete(source, "assets/a1b2c3.js")
		}
		got, err := site.WithUploads(source)
		if err != nil {
			t.Fatal(err)
		}
		names := []string{site.ScriptPath()}
		for name := range source {
			names = append(names, name)
		}
		if err := fstest.TestFS(got, names...); err != nil {
			t.Error(err)
		}
		for name, want := range map[string]string{
			"index.html": "<HEAD lang='x'>" + tag, "deep/page.html": `<head>` + tag, "part.html": `with <head>`, "body.html": "<body><head></head>", "text.txt": "<head>",
			"implied.html": "<!doctype html>\n" + tag,
		} {
			page, err := fs.ReadFile(got, name)
			if err != nil || !strings.Contains(string(page), want) || strings.Count(string(page), tag) > 1 || strings.Contains(string(page), tag) != strings.Contains(want, tag) {
				t.Errorf("%s: %v, want %q in %s", name, err, want, page)
			}
		}
		plan, err := site.MakePlan(context.Background(), site.Options{Source: got})
		if err != nil {
			t.Fatal(err)
		}
		if plan.Files != len(names) {
			t.Errorf("%d files are published, want %d", plan.Files, len(names))
		}
	}
}
