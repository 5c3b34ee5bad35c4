package mingo

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestVectors holds the engine to what another implementation of MongoDB's operators gives, byte for byte; testdata/README.md
// names it.
func TestVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/documentdb.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	operators, passed := map[string]bool{}, 0
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		var v struct{ From, Operator, Doc, Stage, Spec, Want string }
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		var spec any = extended(t, v.Spec)
		if v.Stage == "$unset" {
			spec = spec.(bson.D)[0].Value
		}
		got, err := engine.Aggregate(t.Context(), []bson.Raw{raw(t, extended(t, v.Doc))}, pipeline(t, d{{Key: v.Stage, Value: spec}}), Given{})
		switch {
		case v.Want == "" && err == nil:
			t.Errorf("%s of %s: %v, want an error", v.Spec, v.Doc, got)
		case v.Want != "" && err != nil:
			t.Errorf("%s of %s: %v", v.Spec, v.Doc, err)
		case v.Want != "" && (len(got) != 1 || !bytes.Equal(got[0], raw(t, extended(t, v.Want)))):
			t.Errorf("%s of %s: %v, want %s", v.Spec, v.Doc, got, v.Want)
		default:
			operators[v.Operator], passed = true, passed+1
		}
	}
	t.Logf("%d vectors of %d operators", passed, len(operators))
	if len(operators) < 120 {
		t.Errorf("vectors of %d operators are no test of all", len(operators))
	}
}

func extended(t *testing.T, text string) bson.D {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(text), false, &d); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d
}
