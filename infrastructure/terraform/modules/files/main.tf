# The bucket of the app's uploads: private, open to the site's pages by CORS. Below staging/ lie the bodies of requests that
# are too large for Lambda, until the bootstrap has given them to the app.
terraform { required_version = ">= 1.5.7" }

data "aws_partition" "this" {}

locals {
  arn     = "arn:${data.aws_partition.this.partition}:s3:::${var.bucket}" # known before the bucket is
  staging = "staging/"
}

module "bucket" {
  #checkov:skip=CKV_TF_1:a registry module is named by its exact version; a commit hash would take it from git, past the registry
  source  = "terraform-aws-modules/s3-bucket/aws"
  version = "5.10.0"

  bucket                                = var.bucket
  force_destroy                         = true # another name forces a new bucket, and the uploads go with the old one
  attach_deny_insecure_transport_policy = true
}

# Not the module's lifecycle_rule: its outputs then warn of an attribute that the provider has deprecated.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = module.bucket.s3_bucket_id
  rule {
    id     = "uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload { days_after_initiation = 1 }
    dynamic "expiration" {
      for_each = var.expire_days[*]
      content { days = expiration.value }
    }
  }
  rule {
    id     = "staging"
    status = "Enabled"
    filter { prefix = local.staging }
    expiration { days = 1 }
  }
}

# Not the module's cors_rule: it counts rules that it must know at plan, and without a domain of its own the site's URL is not.
resource "aws_s3_bucket_cors_configuration" "this" {
  bucket = module.bucket.s3_bucket_id
  cors_rule {
    allowed_methods = ["GET", "HEAD", "PUT", "POST"]
    allowed_origins = var.urls
    allowed_headers = ["*"]
    expose_headers  = ["ETag"]
  }
}
