package deploy

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/infra"
)

// taken are the words in which AWS and the provider say that a name is taken: most
// often by what an interrupted run has made, whose answer never arrived.
var taken = regexp.MustCompile(`(?i)already ?exist|AlreadyOwnedByYou|\.Duplicate\b|already has this name|CreateUsagePlanKey,.*ConflictException`)

// imports are the types of resources with names of their own, and the ID by which each
// is imported: what stands in braces is an attribute, {:…} one that may be missing. An ID
// in $(…) is one that AWS makes: the command finds it by the name. Types that are missing
// here are set, not created (a bucket's policy, an alarm), or get a new name with each attempt.
var imports = map[string]string{
	"aws_iam_role":                           "{name}",
	"aws_iam_role_policy":                    "{role}:{name}",
	"aws_iam_role_policy_attachment":         "{role}/{policy_arn}",
	"aws_lambda_function":                    "{function_name}",
	"aws_lambda_alias":                       "{function_name}/{name}",
	"aws_lambda_permission":                  "{function_name}{:qualifier}/{statement_id}",
	"aws_cloudwatch_log_group":               "{name}",
	"aws_ecr_repository":                     "{name}",
	"aws_s3_bucket":                          "{bucket}",
	"aws_ssm_parameter":                      "{name}",
	"aws_elasticache_replication_group":      "{replication_group_id}",
	"aws_elasticache_subnet_group":           "{name}",
	"aws_route53_record":                     "{zone_id}_{name}_{type}",
	"aws_security_group":                     groupLookup,
	"aws_vpc_security_group_egress_rule":     ruleLookup,
	"aws_vpc_security_group_ingress_rule":    ruleLookup,
	"aws_cloudfront_function":                "{name}",
	"aws_cloudfront_response_headers_policy": `$(aws cloudfront list-response-headers-policies --region us-east-1 --type custom --query "ResponseHeadersPolicyList.Items[?ResponseHeadersPolicy.ResponseHeadersPolicyConfig.Name=='{name}'].ResponseHeadersPolicy.Id | [0]" --output text)`,
	"aws_cloudfront_origin_access_control":   `$(aws cloudfront list-origin-access-controls --region us-east-1 --query "OriginAccessControlList.Items[?Name=='{name}'].Id | [0]" --output text)`,
	"aws_cloudfront_distribution":            `$(aws cloudfront list-distributions --region us-east-1 --query "DistributionList.Items[?Comment=='{comment}'].Id | [0]" --output text)`,
	"aws_api_gateway_resource":               `{rest_api_id}/$(aws apigateway get-resources --region {region} --rest-api-id {rest_api_id} --limit 500 --query "items[?parentId=='{parent_id}' && pathPart=='{path_part}'].id | [0]" --output text)`,
	"aws_api_gateway_method":                 "{rest_api_id}/{resource_id}/{http_method}",
	"aws_api_gateway_method_response":        "{rest_api_id}/{resource_id}/{http_method}/{status_code}",
	"aws_api_gateway_api_key":                `$(aws apigateway get-api-keys --region {region} --name-query {name} --query 'items[0].id' --output text)`,
	"aws_api_gateway_usage_plan_key":         "{usage_plan_id}/{key_id}",
	"aws_api_gateway_stage":                  "{rest_api_id}/{stage_name}",
}

const groupLookup = `$(aws ec2 describe-security-groups --region {region} --filters Name=vpc-id,Values={vpc_id} Name=group-name,Values={name} --query 'SecurityGroups[0].GroupId' --output text)`

const ruleLookup = `$(aws ec2 describe-security-group-rules --region {region} --filters Name=group-id,Values={security_group_id} --query "SecurityGroupRules[?Description=='{description}'].SecurityGroupRuleId | [0]" --output text)`

// before and after an import: what a create would have done itself.
var (
	// The address of one that is still being made is not known yet.
	before = map[string]string{"aws_elasticache_replication_group": `aws elasticache wait replication-group-available --region {region} --replication-group-id {replication_group_id} && `}
	// EC2 gives a new group the right to reach everything, which the provider takes away at once.
	after = map[string]string{"aws_security_group": ` && aws ec2 revoke-security-group-egress --region {region} --ip-permissions 'IpProtocol=-1,IpRanges=[{CidrIp=0.0.0.0/0}]' --group-id "` + groupLookup + `"`}
)

// adopt adds to an apply's error the commands that bring into the state what exists and
// is not in it. Where the plan did not know an ID yet, the next run's does.
func (d *Deployment) adopt(ctx context.Context, err error, plan *infra.Plan, faults []infra.Event) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	var commands []string
	again := false
	for _, fault := range faults {
		if !taken.MatchString(fault.Message) {
			continue
		}
		change := changeOf(plan, fault.Address)
		if change == nil || imports[change.Type] == "" || change.Change.Actions.Update() { // what changes is in the state: another's name is in the way
			continue
		}
		id, known := importID(change)
		if !known {
			again = true
			continue
		}
		first, _ := filled(before[change.Type], change)
		then, _ := filled(after[change.Type], change)
		commands = append(commands, "  "+first+d.Infra.Command(slices.Concat([]string{"import"}, d.varFlags(), []string{quoted(change.Address), id})...)+then)
	}
	switch {
	case len(commands) > 0:
		return hint.With(err, "it exists and is not in the state, as when a run was cut off before AWS had answered. If it is this environment's own, "+
			"take it into the state, then run this again:\n%s", strings.Join(commands, "\n"))
	case again:
		return hint.With(err, "it exists and is not in the state: run this again, and it names the command that takes it in")
	}
	return err
}

func changeOf(plan *infra.Plan, address string) *tfjson.ResourceChange {
	for _, change := range plan.JSON.ResourceChanges {
		if change.Address == address && change.Change != nil {
			return change
		}
	}
	return nil
}

var attribute = regexp.MustCompile(`\{(:?)(\w+)\}`)

// filled is the template with the resource's attributes; known is false where the plan
// has no value yet for one.
func filled(template string, change *tfjson.ResourceChange) (text string, known bool) {
	planned, _ := change.Change.After.(map[string]any)
	known = true
	text = attribute.ReplaceAllStringFunc(template, func(part string) string {
		names := attribute.FindStringSubmatch(part)
		value, _ := planned[names[2]].(string)
		if value != "" {
			return names[1] + value
		}
		known = known && names[1] != ""
		return ""
	})
	return text, known
}

// importID is the ID by which the resource is imported, as a word of a shell; known is
// false where the plan has no value yet for a part of it.
func importID(change *tfjson.ResourceChange) (id string, known bool) {
	id, known = filled(imports[change.Type], change)
	if strings.Contains(id, "$(") {
		return `"` + id + `"`, known // within $(…) quotes are its own
	}
	return quoted(id), known
}

// varFlags repeats the run's own --var, which an import needs too.
func (d *Deployment) varFlags() []string {
	var flags []string
	for _, name := range slices.Sorted(maps.Keys(d.Vars)) {
		flags = append(flags, "-var", quoted(name+"="+d.Vars[name]))
	}
	return flags
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`)

// quoted is one word of a shell.
func quoted(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// denied are the words in which AWS says which right is missing, whose, and on what.
var denied = regexp.MustCompile(`(?:User: (\S+) is not authorized to perform: (\S+)(?: on resource: (\S+))?)`)

// rights names what the credentials lack, each once, from the faults of a run.
func rights(err error, faults []infra.Event) error {
	var missing []string
	for _, fault := range faults {
		for _, found := range denied.FindAllStringSubmatch(fault.Message, -1) {
			line := fmt.Sprintf("  %s for %s", found[2], found[1])
			if found[3] != "" {
				line += " on " + strings.TrimRight(found[3], ".,;")
			}
			if !slices.Contains(missing, line) {
				missing = append(missing, line)
			}
		}
	}
	if err == nil || len(missing) == 0 {
		return err
	}
	return hint.With(err, "allow what is missing, then run this again: it goes on from what was made.\n%s", strings.Join(missing, "\n"))
}
