# The function and all that is its own, by concern: the registry of its image
# (registry.tf), its role (role.tf), its environment, log, bucket for uploads, and the
# function itself (function.tf).
terraform {
  required_version = ">= 1.5.7"
  required_providers { sluice = { source = "aproorg/sluice" } }
}

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

# ARNs are written out where AWS would tell them only after apply: a plan that knows them can be read and checked.
locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.region
  arn       = { for service in ["lambda", "logs", "ssm"] : service => "arn:${local.partition}:${service}:${local.region}:${local.account}" }
  files     = "${var.name}-files-${local.account}-${local.region}" # known before the bucket is: role and environment name it at plan
  function  = "${local.arn.lambda}:function:${var.name}"
  invoked   = "arn:${local.partition}:apigateway:${local.region}:lambda:path/2021-11-15/functions"
}
