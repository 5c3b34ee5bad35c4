package cost

import (
	"math"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/stack"
)

func TestShippedEnvironmentAtRest(t *testing.T) {
	s, err := stack.Default()
	if err != nil {
		t.Fatal(err)
	}
	e := Of(s, App{ImageGB: 0.6})
	// One cache.t4g.micro is 0.016 × 730 = 11.68; the function costs nothing at rest.
	if math.Abs(e.Total-11.74) > 0.01 {
		t.Errorf("a month at rest is %.2f, want 11.74:\n%s", e.Total, e)
	}
	for _, l := range e.AtRest {
		if l.Item == "Lambda" {
			t.Errorf("Lambda costs at rest without provisioned concurrency: %+v", l)
		}
	}
}

func TestProvisionedConcurrencyIsPriced(t *testing.T) {
	// 2 × 1 GB × 2,628,000 s × 0.0000041667 = 21.90 USD.
	e := Of(&stack.Stack{Function: stack.Function{MemorySize: 1024, ProvisionedConcurrency: 2}}, App{})
	if math.Abs(e.AtRest[0].USD-21.90) > 0.01 {
		t.Errorf("provisioned concurrency costs %.2f, want 21.90", e.AtRest[0].USD)
	}
	arm := Of(&stack.Stack{Function: stack.Function{MemorySize: 1024, ProvisionedConcurrency: 2, Architecture: "arm64"}}, App{})
	if arm.AtRest[0].USD >= e.AtRest[0].USD || arm.PerAnswer >= e.PerAnswer {
		t.Errorf("arm64 is not cheaper: %v, %v", arm, e)
	}
}

func TestUnknownNodesAreSaid(t *testing.T) {
	e := Of(&stack.Stack{Cache: stack.Cache{Address: "a.b", NodeType: "cache.x9.huge", NumCacheClusters: 1}}, App{})
	if !strings.Contains(e.String(), "not priced: cache.x9.huge (a.b)") {
		t.Errorf("estimate says:\n%s", e)
	}
}

// What the app needs beside the stack is named, and not counted: it is there already.
func TestStoresElsewhereAreNamed(t *testing.T) {
	e := Of(&stack.Stack{}, App{Stores: []Line{{Item: "DocumentDB", Why: "one instance", USD: 55}}})
	if e.Total != 0 || !strings.Contains(e.String(), "not in it, for it exists already: DocumentDB, one instance, about 55 USD a month") {
		t.Errorf("estimate says:\n%s", e)
	}
}
