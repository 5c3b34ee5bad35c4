package demo

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"

	"github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/rehearse"
)

const name = "demo"

// Preset is what Sluice knows of the demo.
func Preset() app.Preset {
	ready := app.Ready{Path: "/health"}
	return app.Preset{
		Name: name, Title: "demo", Short: "a small chat that comes with sluice",
		Ready:     ready,
		Rehearsal: func() app.Rehearsal { return &rehearsal{ready: ready} },
		Probe:     func() app.Probe { return app.Fixed{Description: Description(), Known: detect} },
		Serve: func(s app.Server) error {
			config, err := ConfigFrom(s.Getenv)
			if err != nil {
				return err
			}
			config.Log = s.Log
			return Run(s.Context, config)
		},
		Examples: map[string][]string{"up": {"sluice up"}, "verify": {"sluice verify http://127.0.0.1:8080"}},
	}
}

// detect knows the demo by its page, and by its API where the site is broken.
func detect(ctx context.Context, v *app.Visit) bool {
	return bytes.Contains(v.Get(ctx, "/").Body, []byte("<title>Sluice demo</title>")) || v.Get(ctx, "/api/probe/etag").Header.Get("ETag") == probeETag
}

type rehearsal struct {
	ready app.Ready
	app   rehearse.App
}

func (*rehearsal) Flags(*flag.FlagSet) {}

func (r *rehearsal) Check(_ context.Context, request app.Request) error {
	if err := request.Refuse("the demo app has its own command and writes nothing", "--app-port", "--ready-path", "--ready-status"); err != nil {
		return err
	}
	executable, err := request.Executable()
	if err != nil {
		return fmt.Errorf("find the demo app's executable: %w", err)
	}
	ready := request.Ready.Or(r.ready)
	r.app = rehearse.App{
		Name: name, Command: []string{executable, app.ServeCommand, name}, State: "DEMO_STATE_DIR",
		ReadyPath: ready.Path, ReadyStatus: ready.Status, Port: request.Port,
		Env: map[string]string{"SLUICE_BUSY_PATH": "/busy", "SLUICE_AFTER_RESTORE_PATH": restoredPath, "SLUICE_HEARTBEAT_FORM": "event"}, // the page counts heartbeats
	}
	maps.Copy(r.app.Env, request.Env)
	return nil
}

func (r *rehearsal) Start(context.Context, string) (app.Prepared, error) {
	return app.Prepared{App: r.app, Site: Site()}, nil
}
