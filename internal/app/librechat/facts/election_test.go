package facts

import (
	"testing"
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
	var told []struct {
		ID, Resigned, Other string
		Left                bool
	}
	runHooks(t, Release{Design: GeneratesAfterPost}, electedModule, elected, &told)
	if len(told) != 3 {
		t.Fatalf("it tells %+v", told)
	}
	start, snapshot, restored := told[0], told[1], told[2]
	if start.Resigned != "" || snapshot.ID != start.ID || snapshot.Resigned != start.ID || restored.ID == start.ID || restored.ID == "" {
		t.Errorf("at the start %+v, before the snapshot %+v, after the restore %+v", start, snapshot, restored)
	}
	if start.Left || start.Other != "mine" {
		t.Errorf("the search for the election is left: %+v", start)
	}
}
