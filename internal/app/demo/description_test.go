package demo_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/app/demo"
	"github.com/aproorg/sluice/internal/probe/description"
)

func TestDescriptionSurvivesJSON(t *testing.T) {
	data, err := json.Marshal(demo.Description())
	if err != nil {
		t.Fatal(err)
	}
	got, err := description.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(demo.Description(), got); diff != "" {
		t.Errorf("the demo's description changes in JSON (-want +got):\n%s", diff)
	}
}
