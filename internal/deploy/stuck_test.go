package deploy

import (
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/infra"
	tfjson "github.com/hashicorp/terraform-json"
)

// TestStuck: a plan that makes anew what stays in use is refused, and a plan that ends its user too, or that makes it anew after an
// interrupted apply or beside the old one, is not.
func TestStuck(t *testing.T) {
	first, beside := tfjson.Actions{tfjson.ActionDelete, tfjson.ActionCreate}, tfjson.Actions{tfjson.ActionCreate, tfjson.ActionDelete}
	const name, group = "module.frontend.module.distribution.aws_cloudfront_function.this[\"spa\"]", "module.network.aws_security_group.this"
	for _, test := range []struct {
		what    string
		address string
		kind    string
		actions tfjson.Actions
		reason  tfjson.ActionReason
		ends    string // type that is replaced too
		refused bool
	}{
		{"another name", name, "aws_cloudfront_function", first, tfjson.ActionReasonReplaceBecauseCannotUpdate, "aws_lambda_function", true},
		{"another name, and another distribution", name, "aws_cloudfront_function", first, tfjson.ActionReasonReplaceBecauseCannotUpdate, "aws_cloudfront_distribution", false},
		{"another VPC", group, "aws_security_group", first, tfjson.ActionReasonReplaceBecauseCannotUpdate, "", true},
		{"another group beside the old one", group, "aws_security_group", beside, tfjson.ActionReasonReplaceBecauseCannotUpdate, "", false},
		{"tainted", group, "aws_security_group", first, tfjson.ActionReasonReplaceBecauseTainted, "", false},
	} {
		plan := &infra.Plan{Changes: []infra.Change{{Address: test.address, Type: test.kind, Action: infra.Replace}}, JSON: &tfjson.Plan{ResourceChanges: []*tfjson.ResourceChange{
			{Address: test.address, Type: test.kind, Change: &tfjson.Change{Actions: test.actions}, ActionReason: test.reason},
		}}}
		if test.ends != "" {
			plan.Changes = append(plan.Changes, infra.Change{Address: "x", Type: test.ends, Action: infra.Replace})
		}
		err := stuck(plan)
		if (err != nil) != test.refused {
			t.Errorf("%s: %v", test.what, err)
		}
		if err != nil && (!strings.Contains(err.Error(), test.address) || !strings.Contains(hint.Of(err), "beside it")) {
			t.Errorf("%s: %v (%s)", test.what, err, hint.Of(err))
		}
	}
}
