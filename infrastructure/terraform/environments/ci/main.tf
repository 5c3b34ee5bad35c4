# The roles by which the GitHub Actions workflow of docs/examples plans and deploys one environment, with the rights for that and no
# more. Apply it once by your own credentials, after `sluice init --dir` of the environment.
terraform {
  required_version = ">= 1.5.7"
  required_providers {
    aws = { source = "hashicorp/aws", version = "6.34.0" }
  }
}

provider "aws" {
  region = var.region
  default_tags { tags = { Project = "sluice", ManagedBy = "terraform" } }
}

data "aws_caller_identity" "this" {}

module "deployer" {
  source                       = "../../modules/deployer"
  name                         = var.name
  vpc_id                       = var.vpc_id
  zone_id                      = var.zone_id
  domain                       = var.domain
  config_bucket                = var.config_bucket
  documentdb_security_group_id = var.documentdb_security_group_id
  state = {
    bucket  = coalesce(var.state_bucket, "sluice-state-${data.aws_caller_identity.this.account_id}-${var.region}")
    key     = var.state_key
    kms_key = var.state_kms_key
  }
}

module "github" {
  source       = "../../modules/github"
  name         = "${var.name}-github-${var.region}" # roles have one namespace for all regions of an account
  repository   = var.repository
  provider_arn = var.provider_arn
  roles = {
    plan = {
      subjects    = ["pull_request"]
      policy_arns = { for file, arn in module.deployer.policy_arns : file => arn if startswith(file, "read-") && file != "read-lock" }
    }
    deploy = {
      subjects    = ["environment:${var.github_environment}"]
      policy_arns = { for file, arn in module.deployer.policy_arns : file => arn if !startswith(file, "make-") }
    }
  }
}
