# The site in a private bucket, and the one distribution that serves it and the
# API under one domain (distribution.tf).
terraform { required_version = ">= 1.5.7" }

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  # CloudFront's names and S3's have one namespace for all regions of an account.
  name   = "${var.name}-${data.aws_region.this.region}"
  bucket = "${var.name}-site-${data.aws_caller_identity.this.account_id}-${data.aws_region.this.region}"
}

module "site" {
  #checkov:skip=CKV_TF_1:a registry module is named by its exact version; a commit hash would take it from git, past the registry
  source  = "terraform-aws-modules/s3-bucket/aws"
  version = "5.10.0"

  bucket                                = local.bucket
  force_destroy                         = true
  attach_deny_insecure_transport_policy = true
  attach_policy                         = true
  # GetObject alone: without ListBucket S3 answers 403, not 404, for a key that does not exist.
  policy = jsonencode({ Version = "2012-10-17", Statement = [{
    Effect    = "Allow", Principal = { Service = "cloudfront.amazonaws.com" }, Action = "s3:GetObject"
    Resource  = "arn:${data.aws_partition.this.partition}:s3:::${local.bucket}/*"
    Condition = { StringEquals = { "AWS:SourceArn" = module.distribution.cloudfront_distribution_arn } }
  }] })
}
