// Package directory is the preset of any app in a directory (`--app DIR`): nothing
// is known of it but how the user says it is started. It leaves out a site, which
// `--site` names.
package directory

import (
	"context"
	"flag"

	"github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/rehearse"
)

// Preset is what is known of an app in a directory.
func Preset() app.Preset {
	return app.Preset{
		Name: "DIR", Title: "app in a directory", Short: "any web server, in its working directory; see --command",
		Rehearsal: func() app.Rehearsal { return &rehearsal{} },
		Examples: map[string][]string{"up": {
			`sluice up --app ./server --command "node server.js" --ready-path /health`,
			`sluice up --app ./server --command "node server.js" --site ./dist --routes "/api/*"`,
		}},
	}
}

type rehearsal struct{ app rehearse.App }

func (*rehearsal) Flags(*flag.FlagSet) {}

func (r *rehearsal) Check(_ context.Context, request app.Request) (err error) {
	r.app, err = request.App(request.Name, app.Ready{Path: "/"})
	return err
}

func (r *rehearsal) Start(context.Context, string) (app.Prepared, error) {
	return app.Prepared{App: r.app}, nil
}
