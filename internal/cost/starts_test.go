package cost

import (
	"math"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/stack"
)

func TestSnapStartIsPriced(t *testing.T) {
	// 2 GB × 2,628,000 s × 0.0000015046 = 7.91 USD for each version.
	e := Of(&stack.Stack{Function: stack.Function{MemorySize: 2048, SnapStart: stack.SnapStartVersions}}, App{})
	if len(e.AtRest) != 1 || math.Abs(e.Total-7.91) > 0.01 {
		t.Errorf("SnapStart costs %+v at rest, want 7.91", e.AtRest)
	}
	if none := Of(&stack.Stack{Function: stack.Function{MemorySize: 2048, SnapStart: "None"}}, App{}); none.Total != 0 {
		t.Errorf("no SnapStart costs %+v", none.AtRest)
	}
}

// TestWhichStart: what a function of 2 GB costs by each way to start, and up to how many environments a month it is the cheapest.
func TestWhichStart(t *testing.T) {
	e := Of(&stack.Stack{Function: stack.Function{MemorySize: 2048}}, App{})
	want := []Start{
		{Name: "on-demand", Each: 2 * 10 * 0.0000166667},
		{Name: "snapstart", AtRest: 7.908, Each: 2*0.0001397998 + 2*0.0000166667},
		{Name: "provisioned", AtRest: 21.900},
	}
	for i, s := range want {
		if got := e.Starts[i]; got.Name != s.Name || math.Abs(got.AtRest-s.AtRest) > 0.001 || math.Abs(got.Each-s.Each) > 1e-7 {
			t.Errorf("%+v, want %+v", got, s)
		}
	}
	for i, s := range e.Starts[:2] { // at the limit, the cheapest of those after it costs as much
		least := math.Inf(1)
		for _, other := range e.Starts[i+1:] {
			least = min(least, other.AtRest+s.Until*other.Each)
		}
		if own := s.AtRest + s.Until*s.Each; s.Until == 0 || math.Abs(own-least) > 0.01 {
			t.Errorf("%s costs %.2f USD for %.0f environments a month, and another %.2f", s.Name, own, s.Until, least)
		}
	}
	text := e.String()
	for _, part := range []string{"start on-demand: nothing at rest", "start snapstart: 7.91 USD a month", "start provisioned: 21.90 USD a month", ",000 a month"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
}
