package deploy

import (
	"context"
	"errors"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/aproorg/sluice/internal/hint"
)

// canary is the version that is live, which keeps what a canary does not get.
func (d *Deployment) canary(ctx context.Context) (string, error) {
	state, err := d.Infra.State(ctx)
	if err != nil {
		return "", err
	}
	live := ""
	if state != nil {
		live = aliased(state.Values.RootModule)
	}
	if live == "" || live == "$LATEST" {
		return "", hint.With(errors.New("a canary needs two published versions of the function, and none is live"),
			`set "function": { "alias": true } in the variables and deploy to all first`)
	}
	return live, nil
}

// aliased is the version that the alias of a module, or of one below it, stands for.
func aliased(m *tfjson.StateModule) string {
	for _, r := range m.Resources {
		if version, ok := r.AttributeValues["function_version"].(string); ok && r.Type == "aws_lambda_alias" {
			return version
		}
	}
	for _, child := range m.ChildModules {
		if version := aliased(child); version != "" {
			return version
		}
	}
	return ""
}
