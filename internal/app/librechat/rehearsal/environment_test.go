package rehearsal

import (
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/librechattest"
	"github.com/aproorg/sluice/internal/rehearse/stores"
)

// TestUsersListsAreAddedTo: hooks and modules that LibreChat needs stay beside what the user sets.
func TestUsersListsAreAddedTo(t *testing.T) {
	r := librechattest.StandIn(t, t.TempDir(), facts.GeneratesAfterPost)
	plain := (&LibreChat{cfg: Config{Release: r}, Stores: &stores.Stores{}}).environment()
	l := &LibreChat{cfg: Config{Release: r, Env: map[string]string{"NODE_OPTIONS": "--no-deprecation", "NODE_PATH": "/mine", "APP_TITLE": "mine"}}, Stores: &stores.Stores{}}
	for name, want := range map[string]string{
		"NODE_OPTIONS": strings.TrimSpace("--no-deprecation " + plain["NODE_OPTIONS"]), "NODE_PATH": "/mine:" + plain["NODE_PATH"], "APP_TITLE": "mine",
	} {
		if got := l.environment()[name]; got != want {
			t.Errorf("%s=%q, want %q", name, got, want)
		}
	}
	if plain["NODE_OPTIONS"] == "" || plain["NODE_PATH"] == "" {
		t.Errorf("without the user's: %q and %q", plain["NODE_OPTIONS"], plain["NODE_PATH"])
	}
}
