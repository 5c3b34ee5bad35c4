data "aws_kms_key" "parameters" {
  for_each = toset(["alias/aws/ssm", var.parameters_kms_key])
  key_id   = each.key
}

data "aws_kms_key" "config" {
  count  = var.config.kms_key == null ? 0 : 1
  key_id = var.config.kms_key
}

data "sluice_object" "config" {
  bucket = var.config.bucket
  key    = var.config.key
  lifecycle {
    postcondition {
      condition     = self.missing == ""
      error_message = "${self.missing}: upload librechat.yaml, and set config.bucket and config.key to where it is."
    }
  }
}

locals {
  log_arn = "${local.arn.logs}:log-group:${aws_cloudwatch_log_group.this.name}"
  # S3 encrypts by the object's ARN, or by the bucket's where that has a bucket key.
  config_arns    = [for part in ["/${var.config.key}", ""] : "arn:${local.partition}:s3:::${var.config.bucket}${part}"]
  key_arns       = distinct(values(data.aws_kms_key.parameters)[*].arn)
  parameter_arns = [for p in sort(values(var.secrets)) : startswith(p, "arn:") ? p : "${local.arn.ssm}:parameter/${trimprefix(p, "/")}"]
}

# Roles have one namespace for all regions of an account. Lambda lets this very role, not its name, decrypt the function's
# environment: after a -replace of it the function must be made anew too, or no invocation starts.
resource "aws_iam_role" "this" {
  name = "${var.name}-${local.region}"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [
  { Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }] })
}

resource "aws_iam_role_policy" "this" {
  name = "own"
  role = aws_iam_role.this.id # not the name: module account says why
  policy = jsonencode({ Version = "2012-10-17", Statement = flatten([
    { Sid = "Log", Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = "${local.log_arn}:log-stream:*" },
    { Sid = "Secrets", Effect = "Allow", Action = "ssm:GetParameters", Resource = local.parameter_arns },
    { Sid = "Decrypt", Effect = "Allow", Action = "kms:Decrypt", Resource = local.key_arns, Condition = { StringEquals = {
      "kms:ViaService"                      = "ssm.${local.region}.${data.aws_partition.this.dns_suffix}"
      "kms:EncryptionContext:PARAMETER_ARN" = local.parameter_arns
    } } },
    { Sid = "Config", Effect = "Allow", Action = "s3:GetObject", Resource = local.config_arns[0] },
    [for key in data.aws_kms_key.config : { Sid = "ConfigDecrypt", Effect = "Allow", Action = "kms:Decrypt", Resource = key.arn
      Condition = { StringEquals = {
        "kms:ViaService"                   = "s3.${local.region}.${data.aws_partition.this.dns_suffix}"
        "kms:EncryptionContext:aws:s3:arn" = local.config_arns
    } } }],
    module.files.statements,
  ]) })
}
