package view

import (
	"fmt"
	"strings"

	"github.com/aproorg/sluice/internal/emulate/mongo/guard"
	"github.com/aproorg/sluice/internal/ui"
)

// finding is one use of what Amazon DocumentDB lacks, in JSON.
type finding struct {
	Command    string   `json:"command"`
	Database   string   `json:"database"`
	Collection string   `json:"collection"`
	Feature    string   `json:"feature"`
	Effect     string   `json:"effect"` // refused, differs, unlisted
	Why        string   `json:"why"`
	Page       string   `json:"page"`
	Callers    []string `json:"callers,omitempty"` // POST /api/convos/update
	Count      int      `json:"count"`
}

// findings sums up at the end what the DocumentDB guard has seen.
func (v *View) findings(all []guard.Finding) {
	if v.json != nil {
		for _, f := range all {
			v.emit(event{Event: "finding", Finding: &finding{
				Command: f.Command, Database: f.Database, Collection: f.Collection, Feature: f.Feature,
				Effect: string(f.Effect), Why: f.Why, Page: f.Page, Callers: callers(f), Count: f.Count,
			}})
		}
		return
	}
	if len(all) == 0 {
		v.terminal.Line("DocumentDB 5.0 would have done all that was asked of the database")
		return
	}
	t := v.terminal
	t.Line(t.Paint(ui.Purple, "DocumentDB 5.0 would not do as MongoDB does in "+counted(len(all), "case")+":"))
	for _, f := range all {
		t.Line(fmt.Sprintf("  %s  %s on %s: %s, %s", ui.Pad(string(f.Effect), 8), ui.Clean(f.Command), ui.Clean(f.Collection), ui.Clean(f.Feature), counted(f.Count, "time")))
		for _, caller := range callers(f) {
			t.Line(t.Paint(ui.Dim, "            from ") + ui.Clean(caller))
		}
		t.Line(t.Paint(ui.Dim, "            "+f.Why+"; "+f.Page))
	}
}

// callers are a finding's; a list that is full may have left some out.
func callers(f guard.Finding) []string {
	var out []string
	for _, c := range f.Callers {
		out = append(out, strings.TrimSpace(c.What))
	}
	return out
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
