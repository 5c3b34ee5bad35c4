package cli_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/aproorg/sluice/internal/bootstrapbin"
	"github.com/aproorg/sluice/internal/image/imagetest"
	"github.com/aproorg/sluice/internal/testdeps"
)

// TestCompileCache: what Node has compiled in a rehearsal goes into the image, and the Node of that image takes it.
func TestCompileCache(t *testing.T) {
	bootstrap, err := bootstrapbin.Path(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const app = `const { answer } = require('./answer.js');
require('http').createServer((request, response) => response.end(answer)).listen(process.env.PORT, '127.0.0.1');`
	img, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.DockerManifestSchema2),
		imagetest.Programs(t, types.DockerLayer, imagetest.NodeOf(t, testdeps.NewNode(t))),
		imagetest.Programs(t, types.DockerLayer, map[string][]byte{"app/server.js": []byte(app), "app/answer.js": []byte("exports.answer = 'hello';")}))
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	config.Config.Cmd, config.Config.WorkingDir, config.Config.Env = []string{"node", "/app/server.js"}, "/app", []string{"PATH=/usr/bin:/bin", "NODE_OPTIONS=--max-http-header-size=16384"}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	base := imagetest.Stored(t, img)
	p := params(t, bootstrap)
	setup := p.Setup
	p.Dir, p.Setup = filepath.Join("testdata", "compilecache"), func(env *testscript.Env) error {
		env.Setenv("BASE", base)
		return setup(env)
	}
	testscript.Run(t, p)
}
