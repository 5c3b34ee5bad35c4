# The function and all that is its own. Read on: the registry of its image, the
# files bucket, the network it joins, its role, its log, the function, its alias.
terraform { required_version = ">= 1.5.7" }

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.region
  # Written out where AWS would tell only after apply: a plan that knows its ARNs can be read and checked.
  arn       = { for service in ["lambda", "logs", "ssm"] : service => "arn:${local.partition}:${service}:${local.region}:${local.account}" }
  files     = "${var.name}-files-${local.account}"
  published = var.function.start != "on-demand"
}

resource "aws_ecr_repository" "this" {
  #checkov:skip=CKV_AWS_51:the function names its image by digest, which no tag can move
  #checkov:skip=CKV_AWS_136:ECR encrypts with AES-256 by itself; the image holds no secret
  # Lambda gives itself leave to pull from a repository of its own account.
  name         = var.name
  force_delete = true
  image_scanning_configuration { scan_on_push = true }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name
  policy     = jsonencode({ rules = [{ rulePriority = 1, action = { type = "expire" }, selection = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = var.images_kept } }] })
}

module "files" {
  #checkov:skip=CKV_TF_1:a registry module is named by its exact version; a commit hash would take it from git, past the registry
  source  = "terraform-aws-modules/s3-bucket/aws"
  version = "5.10.0"

  bucket                                = local.files
  force_destroy                         = true
  attach_deny_insecure_transport_policy = true
  cors_rule                             = [{ allowed_methods = ["GET", "HEAD", "PUT", "POST"], allowed_origins = [var.url], allowed_headers = ["*"], expose_headers = ["ETag"] }]
  lifecycle_rule                        = [merge({ id = "uploads", enabled = true, abort_incomplete_multipart_upload_days = 1 }, var.files_expire_days == null ? {} : { expiration = { days = var.files_expire_days } })]
}

data "aws_vpc" "this" { id = var.network.vpc_id }

data "aws_subnet" "this" {
  for_each = toset(var.network.subnet_ids)
  id       = each.key
  lifecycle {
    postcondition {
      condition     = self.vpc_id == var.network.vpc_id && !self.map_public_ip_on_launch
      error_message = "Subnet ${self.id} is ${self.map_public_ip_on_launch ? "public" : "private"} and in ${self.vpc_id}: network.subnet_ids must be private subnets (a function in a public one has no way out) of network.vpc_id ${var.network.vpc_id}."
    }
  }
}

data "aws_service_discovery_dns_namespace" "this" {
  count = var.services == null ? 0 : 1
  name  = var.services.namespace
  type  = "DNS_PRIVATE"
}

# Rules are resources of their own, made after both groups and gone before either:
# inline rules of two groups that name each other could not be destroyed.
resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:the function below joins it
  name        = var.name
  description = "The function ${var.name}"
  vpc_id      = data.aws_vpc.this.id
  timeouts { delete = "60m" } # Lambda keeps its network interfaces for up to 40 minutes
}

resource "aws_vpc_security_group_egress_rule" "this" {
  for_each = merge(
    { https = { port = 443, cidr = "0.0.0.0/0", group = null } },
    { redis = { port = 6379, cidr = null, group = var.redis_security_group_id } },
    { for d in var.documentdb[*] : "documentdb" => { port = d.port, cidr = null, group = d.security_group_id } },
    { for port in try(var.services.ports, []) : "service-${port}" => { port = port, cidr = data.aws_vpc.this.cidr_block, group = null } },
  )
  security_group_id            = aws_security_group.this.id
  description                  = "${var.name} to ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  cidr_ipv4                    = each.value.cidr
  referenced_security_group_id = each.value.group
}

resource "aws_vpc_security_group_ingress_rule" "documentdb" {
  count                        = var.documentdb == null ? 0 : 1
  security_group_id            = var.documentdb.security_group_id
  description                  = "DocumentDB from ${var.name}"
  ip_protocol                  = "tcp"
  from_port                    = var.documentdb.port
  to_port                      = var.documentdb.port
  referenced_security_group_id = aws_security_group.this.id
}

data "aws_kms_key" "parameters" { key_id = var.parameters_kms_key }

resource "aws_iam_role" "this" {
  name               = var.name
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }] })
}

resource "aws_iam_role_policy" "this" {
  #checkov:skip=CKV_AWS_290:Lambda asks EC2 for network interfaces by the role; EC2 knows no narrower resource for it
  #checkov:skip=CKV_AWS_355:the one star is Resource of the network interfaces, and the function's own code is denied it
  name = "own"
  role = aws_iam_role.this.name
  policy = jsonencode({ Version = "2012-10-17", Statement = [
    { Sid = "Log", Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = "${local.log_arn}:log-stream:*" },
    { Sid = "Secrets", Effect = "Allow", Action = "ssm:GetParameters", Resource = local.parameter_arns },
    { Sid = "Decrypt", Effect = "Allow", Action = "kms:Decrypt", Resource = data.aws_kms_key.parameters.arn,
    Condition = { StringEquals = { "kms:ViaService" = "ssm.${local.region}.${data.aws_partition.this.dns_suffix}", "kms:EncryptionContext:PARAMETER_ARN" = local.parameter_arns } } },
    { Sid = "Config", Effect = "Allow", Action = "s3:GetObject", Resource = "arn:${local.partition}:s3:::${var.config.bucket}/${var.config.key}" },
    { Sid = "Files", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], Resource = "arn:${local.partition}:s3:::${local.files}/*" },
    { Sid = "FilesList", Effect = "Allow", Action = "s3:ListBucket", Resource = "arn:${local.partition}:s3:::${local.files}" },
    # The Lambda service joins the VPC with this role; the same calls from the function's code are denied.
    { Sid = "Join", Effect = "Allow", Action = local.join_actions, Resource = "*" },
    { Sid = "JoinNotByCode", Effect = "Deny", Action = local.join_actions, Resource = "*",
    Condition = { ArnEquals = { "lambda:SourceFunctionArn" = "${local.arn.lambda}:function:${var.name}" } } },
  ] })
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:log groups are encrypted at rest by CloudWatch's own key; secrets are never logged
  #checkov:skip=CKV_AWS_338:how long to keep lines is the owner's to say
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
}

locals {
  log_arn      = "${local.arn.logs}:log-group:${aws_cloudwatch_log_group.this.name}"
  join_actions = ["ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]

  parameter_arns = [for name in sort(values(var.secrets)) : startswith(name, "arn:") ? name : "${local.arn.ssm}:parameter/${trimprefix(name, "/")}"]

  # One value that is unknown at plan makes the provider call all of them unknown: with a custom domain none is.
  environment = merge(var.environment_defaults, {
    DOMAIN_CLIENT    = var.url
    DOMAIN_SERVER    = var.url
    REDIS_KEY_PREFIX = substr(sha256(var.image_uri), 0, 12) # cached settings never expire: a release starts with its own
    AWS_BUCKET_NAME  = local.files
    # Names alone stand in the configuration; the bootstrap reads the values at a cold start.
    SLUICE_SECRETS        = join("\n", [for name, parameter in var.secrets : "${name}=${parameter}"])
    SLUICE_CONFIG_S3      = "s3://${var.config.bucket}/${var.config.key}"
    SLUICE_CONFIG_REPLACE = join(",", [for from, to in merge({ "__SITE_URL__" = var.url }, var.config.replace) : "${from}=${to}"])
  }, var.environment)
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:X-Ray is off by default; the access log has the timings of each hop
  #checkov:skip=CKV_AWS_115:reserved concurrency is a variable; taking it from the account by default would starve others
  #checkov:skip=CKV_AWS_116:a dead-letter queue serves asynchronous invocations, and there are none
  #checkov:skip=CKV_AWS_173:the environment holds no secret, only names of parameters
  #checkov:skip=CKV_AWS_272:code signing is for zip files; the image is named by digest
  function_name                  = var.name
  role                           = aws_iam_role.this.arn
  package_type                   = "Image"
  image_uri                      = var.image_uri
  architectures                  = [var.function.architecture]
  memory_size                    = var.function.memory_size
  timeout                        = var.function.timeout
  reserved_concurrent_executions = var.function.reserved_concurrency
  publish                        = local.published
  vpc_config {
    subnet_ids         = var.network.subnet_ids
    security_group_ids = concat([aws_security_group.this.id], var.network.security_group_ids)
  }
  environment { variables = local.environment }
  ephemeral_storage { size = var.function.ephemeral_storage }
  dynamic "snap_start" {
    for_each = var.function.start == "snapstart" ? ["PublishedVersions"] : []
    content { apply_on = snap_start.value }
  }
  # A function that starts before its role and its network are whole fails its first calls.
  depends_on = [aws_iam_role_policy.this, aws_cloudwatch_log_group.this, aws_vpc_security_group_egress_rule.this]
  lifecycle {
    precondition {
      condition     = length(distinct([for s in data.aws_subnet.this : s.availability_zone])) > 1
      error_message = "All of network.subnet_ids are in one availability zone: add a private subnet of a second zone, or an outage of one stops the service."
    }
  }
}

# Provisioned concurrency and SnapStart work on versions: the API then calls this alias.
resource "aws_lambda_alias" "live" {
  count            = local.published ? 1 : 0
  name             = "live"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}

resource "aws_lambda_provisioned_concurrency_config" "live" {
  count                             = var.function.start == "provisioned" ? 1 : 0
  function_name                     = aws_lambda_function.this.function_name
  qualifier                         = aws_lambda_alias.live[0].name
  provisioned_concurrent_executions = var.function.provisioned_concurrency
}
