// Package librechat is the preset of LibreChat: the facts that package facts has
// read from its releases, how package rehearsal runs one on this machine, and how a
// deployed one is checked. It leaves out both of these, which each hold their own
// knowledge.
package librechat

import (
	"github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/reference"
	"github.com/aproorg/sluice/internal/cost"
)

// name is what --app takes.
const name = "librechat"

// Preset is what Sluice knows of LibreChat.
func Preset() app.Preset {
	files, environment := facts.ImageAdditions()
	return app.Preset{
		Name: name, Title: "LibreChat", Short: "a self-hosted chat with many language models",
		Image: app.Image{
			Base:   "ghcr.io/danny-avila/librechat-api:v0.8.2-rc1",
			Expect: facts.ImageFiles(), Links: facts.ImageLinks(), Files: files, Env: environment,
			Release: facts.ReleaseVariable, Site: facts.ImageSite, GB: 0.6,
		},
		Routes:    facts.Routes(),
		Ready:     app.Ready{Path: facts.HealthPath},
		Variables: facts.Release{Design: facts.GeneratesAfterPost, KeepsJobs: true, AcrossProcesses: true}.Contract(),
		// https://aws.amazon.com/documentdb/pricing/ us-east-1, one instance with 1 GB.
		Stores:    []cost.Line{{Item: "DocumentDB", Why: "one db.t4g.medium, always on", USD: 55}},
		Rehearsal: func() app.Rehearsal { return &prepare{} },
		Probe:     func() app.Probe { return &check{} },
		Document:  reference.Markdown,
		Examples: map[string][]string{
			"up": {"sluice up --app librechat --librechat ../LibreChat"},
			"verify": {
				"sluice verify http://127.0.0.1:8080 --app librechat",
				"sluice verify https://chat.example.com --app librechat --endpoint openAI --model gpt-4o --var email=… --var password=…",
			},
			"deploy": {"sluice deploy --dir environments/prod --var image=ghcr.io/danny-avila/librechat-api:v0.8.2-rc2"},
		},
	}
}
