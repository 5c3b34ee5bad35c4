package rehearsal

import (
	"testing"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/rehearse/stores"
)

// TestImageVariables: LibreChat sees what the plan's image adds, below what the
// operator gives the function and the user gives the rehearsal.
func TestImageVariables(t *testing.T) {
	image := map[string]string{"REDIS_KEY_PREFIX": "of-the-image", "SLUICE_RULES": "/opt/sluice/librechat-rules.json"}
	for want, l := range map[string]*LibreChat{
		"of-the-image":    {cfg: Config{Image: image}},
		"of-the-function": {cfg: Config{Image: image, Function: map[string]string{"REDIS_KEY_PREFIX": "of-the-function"}}},
		"of-the-user":     {cfg: Config{Image: image, Env: map[string]string{"REDIS_KEY_PREFIX": "of-the-user"}}},
	} {
		l.Stores, l.cfg.Release = &stores.Stores{}, facts.Release{Version: "v1"}
		env := l.environment()
		if env["REDIS_KEY_PREFIX"] != want || env["SLUICE_RULES"] != "" {
			t.Errorf("REDIS_KEY_PREFIX is %q, want %q; the image's rules are %q", env["REDIS_KEY_PREFIX"], want, env["SLUICE_RULES"])
		}
	}
}
