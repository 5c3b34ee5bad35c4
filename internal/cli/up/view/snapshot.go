package view

import (
	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/ui"
)

// snapshot is that of a published version, in JSON.
type snapshot struct {
	Took   float64 `json:"tookMs"` // from the start of the init phase
	Clones bool    `json:"clones"`
	Bytes  int64   `json:"bytes,omitempty"`
	Why    string  `json:"why,omitempty"` // there are no clones
}

func newSnapshot(s *lambda.Snapshot) *snapshot {
	if s == nil {
		return nil
	}
	return &snapshot{Took: milliseconds(s.Took), Clones: s.Clones, Bytes: s.Bytes, Why: s.Why}
}

// snapshotLine tells people where environments come from.
func snapshotLine(s lambda.Snapshot) string {
	if s.Clones {
		return "taken in " + ui.Duration(s.Took) + ", " + ui.Bytes(s.Bytes) + "; every environment is a clone of it"
	}
	cut := "their connections cut"
	if !s.Cut {
		cut = "their connections alive, which on AWS are dead"
	}
	return "the version was published in " + ui.Duration(s.Took) + "; no clones here (" + ui.Clean(s.Why) +
		"): environments are started ahead and held at restore/next, " + cut
}
