# Roles that the GitHub Actions workflows of one repository assume, without a key that anybody keeps: GitHub signs for whom a job
# runs, and AWS takes its word for the pull requests, branches or environments that are named here, and for nothing else.
terraform { required_version = ">= 1.5.7" }

locals {
  issuer      = "token.actions.githubusercontent.com"
  provider    = var.provider_arn == null ? aws_iam_openid_connect_provider.this[0].arn : var.provider_arn
  attachments = merge([for role, r in var.roles : { for key, arn in r.policy_arns : "${role}-${key}" => { role = role, arn = arn } }]...)
}

# An account has one provider for an issuer: a second one is refused, and destroy takes it from all who use it. AWS verifies
# GitHub's certificate by itself and needs no thumbprint.
resource "aws_iam_openid_connect_provider" "this" {
  count          = var.provider_arn == null ? 1 : 0
  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

# A new role can be assumed some seconds after it was made: IAM is eventually consistent.
resource "aws_iam_role" "this" {
  for_each             = var.roles
  name                 = "${var.name}-${each.key}"
  description          = "GitHub Actions of ${var.repository}: ${each.key}"
  max_session_duration = 2 * 3600 # a deployment that replaces security groups waits an hour for Lambda
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{
    Effect = "Allow", Principal = { Federated = local.provider }, Action = "sts:AssumeRoleWithWebIdentity"
    Condition = { StringEquals = {
      "${local.issuer}:aud" = "sts.amazonaws.com"
      "${local.issuer}:sub" = [for subject in each.value.subjects : "repo:${var.repository}:${subject}"]
    } }
  }] })
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each   = local.attachments
  role       = aws_iam_role.this[each.value.role].id # not the name: module account says why
  policy_arn = each.value.arn
}
