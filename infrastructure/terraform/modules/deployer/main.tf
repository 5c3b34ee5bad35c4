# The rights of whoever deploys one environment: a managed policy for each file of policies/. Those whose names begin with
# read- suffice for a plan, without read-lock for one that takes no lock, with those of write- for apply and destroy, and make-state is
# for once, where the bucket of the state is not there yet; nothing here says who has them.
terraform { required_version = ">= 1.5.7" }

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  values = {
    name                         = var.name
    project                      = coalesce(try(var.tags.project, null), regex("^(.*)-[^-]+$", var.name)[0])
    environment                  = coalesce(try(var.tags.environment, null), regex("[^-]+$", var.name))
    account                      = data.aws_caller_identity.this.account_id
    partition                    = data.aws_partition.this.partition
    dns_suffix                   = data.aws_partition.this.dns_suffix
    region                       = data.aws_region.this.region
    vpc_id                       = var.vpc_id
    zone_id                      = var.zone_id
    domain                       = var.domain
    config_bucket                = var.config_bucket
    documentdb_security_group_id = coalesce(var.documentdb_security_group_id, "none")
    state_bucket                 = try(var.state.bucket, "none")
    state_key                    = try(var.state.key, "none")
    state_kms_key                = try(coalesce(var.state.kms_key), "arn:${data.aws_partition.this.partition}:kms:*:*:key/none")
  }
  files = [for file in fileset("${path.module}/policies", "*.json") : trimsuffix(file, ".json")]
  documents = { for file in local.files : file => jsonencode(jsondecode(templatefile("${path.module}/policies/${file}.json", local.values)))
  if var.state != null || !can(regex("-(state|lock)$", file)) }
}

# Managed ones: a role takes ten of them, of 6,144 characters each. Another name or description forces a new policy, which
# fails while the old one is attached by anybody but Terraform.
resource "aws_iam_policy" "this" {
  #checkov:skip=CKV_AWS_287:the one key it decrypts with is bound to this environment's parameters
  #checkov:skip=CKV_AWS_288:reading the environment's own buckets and parameters is what a plan does
  #checkov:skip=CKV_AWS_289:it manages the role of the function alone, by that role's name
  #checkov:skip=CKV_AWS_290:stars are where IAM knows no resource for the action, or where AWS makes up the id
  #checkov:skip=CKV_AWS_355:a star as the resource is where IAM knows no narrower one for the action
  for_each    = local.documents
  name        = "${var.name}-deployer-${each.key}-${local.values.region}" # policies have one namespace for all regions
  description = "Deploys ${var.name}: ${each.key}"
  policy      = each.value
}
