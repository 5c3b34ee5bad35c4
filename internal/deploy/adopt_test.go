package deploy

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/infra"
)

// planOf is a plan that creates one resource.
func planOf(address, kind string, after map[string]any) *infra.Plan {
	return &infra.Plan{JSON: &tfjson.Plan{ResourceChanges: []*tfjson.ResourceChange{
		{Address: address, Type: kind, Change: &tfjson.Change{After: after}},
	}}}
}

// TestWhatExistsIsNamedWithItsImport has the words of AWS's errors as the provider
// shows them.
func TestWhatExistsIsNamedWithItsImport(t *testing.T) {
	d := environment(t, oneResource)
	d.Vars = map[string]string{"image": "a b"}
	for _, c := range []struct {
		address, kind, says string
		after               map[string]any
		want                string
	}{
		{"module.backend.aws_lambda_function.this", "aws_lambda_function", "ResourceConflictException: Function already exist: chat-dev",
			map[string]any{"function_name": "chat-dev"}, " import -var 'image=a b' module.backend.aws_lambda_function.this chat-dev"},
		{`aws_ssm_parameter.secret["REDIS_URI"]`, "aws_ssm_parameter", "ParameterAlreadyExists: The parameter already exists.",
			map[string]any{"name": "/chat-dev/REDIS_URI"}, ` 'aws_ssm_parameter.secret["REDIS_URI"]' /chat-dev/REDIS_URI`},
		{"module.files.aws_s3_bucket.this[0]", "aws_s3_bucket", "BucketAlreadyOwnedByYou: ", map[string]any{"bucket": "b"}, " 'module.files.aws_s3_bucket.this[0]' b"},
		{"module.network.aws_security_group.this", "aws_security_group", "api error InvalidGroup.Duplicate: The security group 'chat-dev' is there",
			map[string]any{"name": "chat-dev", "vpc_id": "vpc-1", "region": "eu-west-1"}, `"$(aws ec2 describe-security-groups --region eu-west-1 --filters Name=vpc-id,Values=vpc-1 Name=group-name,Values=chat-dev `},
		{"module.network.aws_security_group.this", "aws_security_group", "api error InvalidGroup.Duplicate: The security group 'chat-dev' is there",
			map[string]any{"name": "chat-dev", "vpc_id": "vpc-1", "region": "eu-west-1"}, `--output text)" && aws ec2 revoke-security-group-egress --region eu-west-1 --ip-permissions 'IpProtocol=-1,IpRanges=[{CidrIp=0.0.0.0/0}]' --group-id "$(aws ec2 describe-security-groups `},
		{"module.redis.aws_elasticache_replication_group.this", "aws_elasticache_replication_group", "ReplicationGroupAlreadyExists: it is there",
			map[string]any{"replication_group_id": "chat-dev", "region": "eu-west-1"}, "  aws elasticache wait replication-group-available --region eu-west-1 --replication-group-id chat-dev && tofu "},
		{"aws_lambda_permission.this", "aws_lambda_permission", "ResourceConflictException: The statement id (api-alias) provided already exists.",
			map[string]any{"function_name": "chat-dev", "qualifier": "live", "statement_id": "api-alias"}, " chat-dev:live/api-alias"},
		{"aws_lambda_permission.this", "aws_lambda_permission", "ResourceConflictException: The statement id (api-function) provided already exists.",
			map[string]any{"function_name": "chat-dev", "qualifier": nil, "statement_id": "api-function"}, " chat-dev/api-function"},
		{"aws_api_gateway_resource.path", "aws_api_gateway_resource", "ConflictException: Another resource with the same parent already has this name: api",
			map[string]any{"rest_api_id": "a1", "parent_id": "p1", "path_part": "api", "region": "eu-west-1"}, `"a1/$(aws apigateway get-resources --region eu-west-1 --rest-api-id a1 `},
	} {
		err := d.adopt(t.Context(), errors.New("apply: x"), planOf(c.address, c.kind, c.after), []infra.Event{{Address: c.address, Message: c.says}})
		advice := hint.Of(err)
		if !strings.Contains(advice, c.want) || !strings.Contains(advice, "-chdir="+d.Infra.Dir()) {
			t.Errorf("%s: %s", c.address, advice)
		}
		command := advice[strings.LastIndex(advice, "\n"):]
		if out, err := exec.Command("sh", "-n", "-c", command).CombinedOutput(); err != nil {
			t.Errorf("no shell takes %s: %v\n%s", command, err, out)
		}
	}
}

func TestWhatIsNotKnownYetIsNamedByTheNextRun(t *testing.T) {
	d := environment(t, oneResource)
	fault := []infra.Event{{Address: "a.b", Message: "ConflictException: Method already exists for this resource"}}
	err := d.adopt(t.Context(), errors.New("x"), planOf("a.b", "aws_api_gateway_method", map[string]any{"http_method": "ANY"}), fault)
	if !strings.Contains(hint.Of(err), "run this again") || strings.Contains(hint.Of(err), "import") {
		t.Errorf("advice is %q", hint.Of(err))
	}
	other := errors.New("x")
	if err := d.adopt(t.Context(), other, planOf("a.b", "aws_thing", nil), fault); hint.Of(err) != "" {
		t.Errorf("advice on a type that is not known: %q", hint.Of(err))
	}
	// A domain for a distribution that is there, which another one has.
	plan := planOf("a.b", "aws_cloudfront_distribution", map[string]any{"comment": "chat-dev"})
	plan.JSON.ResourceChanges[0].Change.Actions = tfjson.Actions{tfjson.ActionUpdate}
	alias := []infra.Event{{Address: "a.b", Message: "api error CNAMEAlreadyExists: One or more of the CNAMEs you provided are already associated with a different resource."}}
	if err := d.adopt(t.Context(), other, plan, alias); hint.Of(err) != "" {
		t.Errorf("advice to import what is in the state: %q", hint.Of(err))
	}
}

func TestMissingRightsAreNamed(t *testing.T) {
	err := rights(errors.New("x"), []infra.Event{{Message: "creating IAM Role (chat-dev): operation error IAM: CreateRole, https response error StatusCode: 403, " +
		"api error AccessDenied: User: arn:aws:iam::123456789012:user/deployer is not authorized to perform: iam:CreateRole on resource: " +
		"arn:aws:iam::123456789012:role/chat-dev because no identity-based policy allows the iam:CreateRole action"}})
	if want := "iam:CreateRole for arn:aws:iam::123456789012:user/deployer on arn:aws:iam::123456789012:role/chat-dev"; !strings.Contains(hint.Of(err), want) {
		t.Errorf("advice is %q", hint.Of(err))
	}
}

// TestNoPlanStays looks for the plan after a run, a refusal, a fault and an interruption.
func TestNoPlanStays(t *testing.T) {
	for name, prepare := range map[string]func(*Deployment, context.CancelFunc){
		"applied": func(*Deployment, context.CancelFunc) {},
		"declined": func(d *Deployment, _ context.CancelFunc) {
			d.Confirm = func(context.Context, Question) (bool, error) { return false, nil }
		},
		"failed": func(d *Deployment, _ context.CancelFunc) {
			d.Confirm = func(context.Context, Question) (bool, error) { return false, errors.New("x") }
		},
		"interrupted": func(d *Deployment, cancel context.CancelFunc) {
			d.Confirm = func(ctx context.Context, _ Question) (bool, error) { cancel(); return true, nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := environment(t, oneResource)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			prepare(d, cancel)
			_, err := d.Run(ctx)
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(d.Infra.PlanFile()), "*")); len(left) > 0 {
				t.Errorf("left %v", left)
			}
			if strings.HasPrefix(d.Infra.PlanFile(), d.Infra.Dir()) {
				t.Errorf("the plan is kept in the environment: %s", d.Infra.PlanFile())
			}
			if name == "interrupted" && !strings.Contains(hint.Of(err), "run it again") {
				t.Errorf("advice on %v is %q", err, hint.Of(err))
			}
		})
	}
}
