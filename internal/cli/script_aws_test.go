package cli_test

import (
	"net/http/httptest"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/emulate/s3"
	"github.com/aproorg/sluice/internal/image/imagetest"
)

// make-base DIR [PROGRAM [EXTENSION]] writes an OCI layout with an image for linux/amd64 that
// has an app of one file. A program takes its place, between the files by which
// LibreChat's image is known; with an extension it is the image of a Lambda function.
func makeBase(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 3 {
		ts.Fatalf("usage: make-base DIR [PROGRAM [EXTENSION]]")
	}
	files := map[string][]byte{"app/run": []byte("#!/bin/sh\n")}
	if len(args) > 1 {
		files["app/run"] = []byte(ts.ReadFile(args[1]))
	}
	if len(args) == 3 {
		files["opt/extensions/"+filepath.Base(args[2])] = []byte(ts.ReadFile(args[2]))
	}
	if len(args) == 2 {
		for _, path := range facts.ImageFiles() {
			files[strings.TrimPrefix(path, "/")] = nil
		}
	}
	layer, err := imagetest.Files(types.DockerLayer, files)
	ts.Check(err)
	img, err := mutate.AppendLayers(empty.Image, layer)
	ts.Check(err)
	config, err := img.ConfigFile()
	ts.Check(err)
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Config.Cmd = "linux", "amd64", []string{"/app/run"}
	img, err = mutate.ConfigFile(img, config)
	ts.Check(err)
	path, err := layout.Write(ts.MkAbs(args[0]), empty.Index)
	ts.Check(err)
	ts.Check(path.AppendImage(img))
}

// serve-s3 NAME BUCKET serves an S3 with one bucket for the rest of the script and
// sets $NAME to its URL.
func serveS3(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: serve-s3 NAME BUCKET")
	}
	store, err := s3.New(s3.Config{Dir: ts.MkAbs(".")})
	ts.Check(err)
	store.Bucket(args[1])
	server := httptest.NewServer(store.API())
	ts.Defer(func() { server.Close(); store.Close() })
	ts.Setenv(args[0], server.URL)
}
