resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts by its own key; the bootstrap logs no secret, and the app's lines are the app's to say
  #checkov:skip=CKV_AWS_338:how long to keep lines is the owner's to say
  name              = "/aws/lambda/${var.name}" # another name forces a new group, and the lines go with the old one
  retention_in_days = var.log_retention_days
}

locals {
  # Nothing here may follow from the image: a release would be two calls of the provider, and between them the old image
  # would run with what is the new one's. What is a release's own, such as Redis's key prefix, the image sets.
  # One value that is unknown at plan makes the provider call all of them unknown: with a custom domain none is.
  environment = merge(var.environment_defaults, module.files.environment, {
    DOMAIN_CLIENT = var.urls[0]
    DOMAIN_SERVER = var.urls[0]
    # The API sees its own host; links and forms need the site's.
    SLUICE_PUBLIC_HOST = trimprefix(var.urls[0], "https://")
    # Names alone stand in the configuration; the bootstrap reads the values at a cold start.
    SLUICE_SECRETS        = join("\n", [for name, parameter in var.secrets : "${name}=${parameter}"])
    SLUICE_CONFIG_S3      = "s3://${var.config.bucket}/${var.config.key}"
    SLUICE_CONFIG_REPLACE = join(",", [for from, to in merge({ "__SITE_URL__" = var.urls[0] }, var.config.replace) : "${from}=${to}"])
  }, var.environment)
  # Whether AWS streams from a version is not proven, as it is for the function itself: the API calls one only where it has to.
  published = var.function.alias || var.function.start != "on-demand"
  image_uri = can(regex("sha256:", var.release)) ? "${local.repository}@${regex("sha256:[0-9a-f]{64}$", var.release)}" : var.image_uri
}

module "files" {
  source      = "../files"
  bucket      = local.files
  urls        = var.urls
  expire_days = var.files_expire_days
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:X-Ray is not offered; the access log has the timings of each hop
  #checkov:skip=CKV_AWS_115:reserved concurrency is a variable; taking it from the account by default would starve others
  #checkov:skip=CKV_AWS_116:a dead-letter queue serves asynchronous invocations, and there are none
  #checkov:skip=CKV_AWS_173:the environment holds no secret, only names of parameters
  #checkov:skip=CKV_AWS_272:code signing is for zip files; the image is named by digest
  # Another name forces a new function. Its alias and permissions go with it, unknown to a plan: after a -replace apply twice.
  function_name                  = var.name
  role                           = aws_iam_role.this.arn
  package_type                   = "Image"
  image_uri                      = local.image_uri
  architectures                  = [var.function.architecture]
  memory_size                    = var.function.memory_size
  timeout                        = var.function.timeout
  reserved_concurrent_executions = var.function.reserved_concurrency
  publish                        = local.published
  vpc_config {
    subnet_ids         = var.network.subnet_ids
    security_group_ids = var.network.security_group_ids
  }
  environment { variables = local.environment }
  ephemeral_storage { size = var.function.ephemeral_storage }
  # Each version has a snapshot, which is paid for until module.live removes the version.
  dynamic "snap_start" {
    for_each = var.function.start == "snapstart" ? ["PublishedVersions"] : []
    content { apply_on = snap_start.value }
  }
  timeouts { update = "30m" } # by default 10, in which Lambda may not have a new version's snapshot
  # A function that starts before its role is whole fails its first calls; var.network waits for its rules by itself.
  depends_on = [aws_iam_role_policy.this, aws_cloudwatch_log_group.this]
}

# Provisioned concurrency and SnapStart work on published versions: the API then calls this alias. It is there in any case.
module "live" {
  source                  = "../alias"
  function                = { name = var.name, version = aws_lambda_function.this.version, published = local.published }
  image_uri               = local.image_uri
  repository              = aws_ecr_repository.this.name
  keep                    = var.images_kept
  release                 = var.release
  canary                  = var.canary
  provisioned_concurrency = var.function.start == "provisioned" ? var.function.provisioned_concurrency : null
}
