// Package presets is the registry of the apps that Sluice knows: a new app is a
// folder beside this one and a line in it. It leaves out what they are.
package presets

import (
	"context"
	"slices"

	"github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/app/demo"
	"github.com/aproorg/sluice/internal/app/directory"
	"github.com/aproorg/sluice/internal/app/librechat"
	"github.com/aproorg/sluice/internal/app/mcp"
)

// all is in the order of --help. The first is rehearsed where nobody says which.
var all = []func() app.Preset{
	demo.Preset,
	librechat.Preset,
	mcp.Preset,
}

// All returns the presets that have a name.
func All() []app.Preset {
	var presets []app.Preset
	for _, preset := range all {
		presets = append(presets, preset())
	}
	return presets
}

// Names are what --app takes.
func Names() []string {
	var names []string
	for _, p := range All() {
		names = append(names, p.Name)
	}
	return names
}

// Rehearsed is the app of `sluice up` where nobody says which.
func Rehearsed() app.Preset { return demo.Preset() }

// Shipped is the app of the environment that the repository ships, of images and of
// sites where nobody says which.
func Shipped() app.Preset { return librechat.Preset() }

// Find returns the preset of that name.
func Find(name string) (app.Preset, bool) {
	presets := All()
	i := slices.IndexFunc(presets, func(p app.Preset) bool { return p.Name == name })
	if i < 0 {
		return app.Preset{}, false
	}
	return presets[i], true
}

// ForRehearsal returns the preset of that name, or else that of an app in a directory.
func ForRehearsal(name string) app.Preset {
	if p, ok := Find(name); ok && p.Rehearsal != nil {
		return p
	}
	return directory.Preset()
}

// Detect returns the preset of the app that serves a site, and false for one that
// none of them knows.
func Detect(ctx context.Context, v *app.Visit) (app.Preset, bool) {
	for _, p := range All() {
		if p.Probe != nil && p.Probe().Detect(ctx, v) {
			return p, true
		}
	}
	return app.Preset{}, false
}
