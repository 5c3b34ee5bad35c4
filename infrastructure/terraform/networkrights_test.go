package terraform

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

// TestNetworkByDeployer changes rules of module network in place, and destroys it while a network interface of Lambda's is left, by
// the deployer's rights alone: the AWS provider then calls ModifySecurityGroupRules
// (its vpc_security_group_ingress_rule.go) and DeleteNetworkInterface (its vpc_network_interface.go, deleteLingeringENIs).
func TestNetworkByDeployer(t *testing.T) {
	a := emulated(t)
	a.guarded(t)
	root := t.TempDir()
	if err := os.CopyFS(root, Files); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "tests", "network")
	network, documentdb := a.tfvars["network"].(map[string]any), a.tfvars["documentdb"].(map[string]any)
	hcl := fmt.Sprintf(networkModule, network["vpc_id"], network["subnet_ids"].([]any)[0], network["subnet_ids"].([]any)[1], documentdb["security_group_id"])
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(hcl), 0o600); err != nil {
		t.Fatal(err)
	}
	before := a.calls.count()
	for _, args := range [][]string{{"init"}, {"apply", "-auto-approve"}, {"apply", "-auto-approve", "-var=port=2525", "-var=documentdb=27018"}} {
		if out, err := a.run(dir, args...); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, complaint(out))
		}
	}
	var group string
	if err := a.output(dir, "group", &group); err != nil {
		t.Fatal(err)
	}
	a.leaveInterface(t, network["subnet_ids"].([]any)[0].(string), group)
	if out, err := a.run(dir, "destroy", "-auto-approve"); err != nil {
		t.Errorf("destroy: %v\n%s", err, complaint(out))
	}
	a.calls.tell(func(g *guard) {
		for _, said := range g.refusal {
			t.Error(said)
		}
	})
	a.lawful(t)
	called := map[string]int{}
	a.calls.mu.Lock()
	defer a.calls.mu.Unlock()
	for _, c := range a.calls.kept[before:] {
		called[parseForm(string(c.Request)).Get("Action")]++
	}
	if called["ModifySecurityGroupRules"] != 3 || called["DeleteNetworkInterface"] != 1 {
		t.Errorf("rules were changed %d times, and %d interfaces deleted: what is looked for?", called["ModifySecurityGroupRules"], called["DeleteNetworkInterface"])
	}
}

// leaveInterface makes a network interface as Lambda leaves one where it could not delete it.
func (a *account) leaveInterface(t *testing.T, subnet, group string) {
	t.Helper()
	a.query(t, "eu-west-1/ec2", "2016-11-15", "CreateNetworkInterface", url.Values{"SubnetId": {subnet}, "SecurityGroupId.1": {group}, "Description": {"AWS Lambda VPC ENI-librechat-dev-0"}})
}

// networkModule is module network, with the role that a function would have, in the VPC, the subnets and beside the group of DocumentDB
// of the account.
const networkModule = `
terraform {
  required_providers { aws = { source = "hashicorp/aws", version = "6.34.0" } }
}
provider "aws" {
  region = "eu-west-1"
  default_tags { tags = { Project = "librechat", Environment = "dev" } }
}
variable "port" { default = 587 }
variable "documentdb" { default = 27017 }
resource "aws_iam_role" "this" {
  name               = "librechat-dev-eu-west-1"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }] })
}
resource "aws_security_group" "redis" {
  name   = "librechat-dev-redis"
  vpc_id = %[1]q
}
module "network" {
  source                  = "../../modules/network"
  name                    = "librechat-dev"
  network                 = { vpc_id = %[1]q, subnet_ids = [%[2]q, %[3]q] }
  role                    = { name = aws_iam_role.this.id, function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:librechat-dev" }
  redis_security_group_id = aws_security_group.redis.id
  documentdb              = { security_group_id = %[4]q, port = var.documentdb }
  egress                  = { smtp = { port = var.port } }
}
output "group" { value = module.network.security_group_id }
`
