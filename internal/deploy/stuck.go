package deploy

import (
	"fmt"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/infra"
	tfjson "github.com/hashicorp/terraform-json"
)

// users are the types that AWS deletes no more while another resource uses them, and which type that is.
// (FunctionInUse: https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DeleteFunction.html;
// DependencyViolation: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html)
var users = map[string]string{
	"aws_cloudfront_function": "aws_cloudfront_distribution",
	"aws_security_group":      "aws_lambda_function",
}

// stuck refuses a plan that would stop half-way: it deletes what its user, which it changes only then, still holds.
// So ends every attempt to rename what is deployed, or to move it, after Redis, images and uploads are gone. What an
// interrupted apply left tainted is used by nobody yet.
func stuck(plan *infra.Plan) error {
	if plan.JSON == nil {
		return nil
	}
	goes := map[string]bool{} // types of which one is made anew, or ends
	for _, c := range plan.Changes {
		if c.Action == infra.Replace || c.Action == infra.Delete {
			goes[c.Type] = true
		}
	}
	for _, rc := range plan.JSON.ResourceChanges {
		user, ok := users[rc.Type]
		if ok && rc.ActionReason == tfjson.ActionReasonReplaceBecauseCannotUpdate && rc.Change.Actions.DestroyBeforeCreate() && !goes[user] {
			return hint.With(fmt.Errorf("AWS would refuse the plan half-way: %s would be made anew, and the %s that stays still uses the old one", rc.Address, user),
				"what is deployed keeps its name (project, environment_name), region and VPC: deploy another environment beside it, or destroy this one first")
		}
	}
	return nil
}
