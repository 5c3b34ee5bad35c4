package facts

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/aproorg/sluice/internal/testdeps"
)

// electedModule has an election as LibreChat's module has one: no export, of which the last maker gets the first.
const electedModule = `
class LeaderElection {
  constructor() {
    this.UUID = 'id ' + Math.random();
    if (LeaderElection._instance) return LeaderElection._instance;
    LeaderElection._instance = this;
  }
  isLeader() { return true; }
  async resign() { await null; this.resigned = this.UUID; }
}
new LeaderElection();
const election = new LeaderElection();
exports.GenerationJobManager = {};
exports.MCPManager = class {};
exports.tell = () => ({ id: election.UUID, resigned: election.resigned, other: { UUID: 'mine' }.UUID, left: 'UUID' in {} });
`

const elected = `
const { tell } = require('@librechat/api');
const call = async (name) => { for (const listener of process.rawListeners(name)) await listener({ environment: 'e' }); return tell(); };
(async () => process.stdout.write(JSON.stringify([tell(), await call('sluice:before-snapshot'), await call('sluice:after-restore')])))();
`

// TestEnvironmentsStandByTheirOwnIDs: nobody leads in a snapshot, and an environment that is restored from it stands for election by another id.
func TestEnvironmentsStandByTheirOwnIDs(t *testing.T) {
	dir := t.TempDir()
	module := filepath.Join(dir, "node_modules", "@librechat", "api")
	if err := os.MkdirAll(module, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{filepath.Join(module, "index.js"): electedModule, filepath.Join(dir, "main.js"): elected} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), testdeps.Node(t), filepath.Join(dir, "main.js"))
	cmd.Env = append(os.Environ(), "NODE_OPTIONS="+Release{Design: GeneratesAfterPost}.nodeOptions())
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var told []struct {
		ID, Resigned, Other string
		Left                bool
	}
	if err := json.Unmarshal(out, &told); err != nil || len(told) != 3 {
		t.Fatalf("%v in %q", err, out)
	}
	start, snapshot, restored := told[0], told[1], told[2]
	if start.Resigned != "" || snapshot.ID != start.ID || snapshot.Resigned != start.ID || restored.ID == start.ID || restored.ID == "" {
		t.Errorf("at the start %+v, before the snapshot %+v, after the restore %+v", start, snapshot, restored)
	}
	if start.Left || start.Other != "mine" {
		t.Errorf("the search for the election is left: %+v", start)
	}
}
