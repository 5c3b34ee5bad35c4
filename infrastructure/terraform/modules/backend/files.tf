# The bucket's name is known before the bucket is: the role and the environment name it at plan.
locals { files = "${var.name}-files-${local.account}" }

module "files" {
  #checkov:skip=CKV_TF_1:a registry module is named by its exact version; a commit hash would take it from git, past the registry
  source  = "terraform-aws-modules/s3-bucket/aws"
  version = "5.10.0"

  bucket                                = local.files
  force_destroy                         = true
  attach_deny_insecure_transport_policy = true
  lifecycle_rule = [{
    id = "uploads", enabled = true, abort_incomplete_multipart_upload_days = 1
    # A list, because the module would make a rule of an expiration that is null.
    expiration = [for days in var.files_expire_days[*] : { days = days }]
  }]
}

# Not the module's cors_rule: it counts rules that it must know at plan, and without a domain of its own the site's URL is not.
resource "aws_s3_bucket_cors_configuration" "files" {
  bucket = module.files.s3_bucket_id
  cors_rule {
    allowed_methods = ["GET", "HEAD", "PUT", "POST"]
    allowed_origins = [var.url]
    allowed_headers = ["*"]
    expose_headers  = ["ETag"]
  }
}
