# The alias by which an API calls a published version of a function, and what goes with
# versions: provisioned concurrency, and the end of those that nobody needs.
terraform {
  required_version = ">= 1.5.7"
  required_providers { sluice = { source = "aproorg/sluice" } }
}

locals {
  pinned = can(regex("^[0-9]+$", var.release))
  called = local.pinned ? var.release : var.function.version
}

# Lambda invokes nothing of a version until it is active: with SnapStart that is when its snapshot is taken, which aws_lambda_function
# waits for at an update and not at the first version (its issue 42693). One that nobody called for 14 days, as those for a rollback,
# has lost its snapshot and gets another first.
resource "sluice_active_versions" "this" {
  count         = var.function.published ? 1 : 0
  function_name = var.function.name
  versions      = toset(concat([local.called], var.canary > 0 ? [var.function.version] : []))
}

# It is there where nobody calls it, too, and then stands for the function itself: the
# permission to call it needs it, and with both permissions in place the API changes
# from one to the other without a gap.
resource "aws_lambda_alias" "this" {
  name             = "live" # another name forces a new alias; another version is an update, live within seconds and not everywhere at once
  function_name    = var.function.name
  function_version = var.function.published ? local.called : "$LATEST"
  # A canary: the newest version gets its share of the calls, the version that release names the rest. Both need one role.
  dynamic "routing_config" {
    for_each = var.canary > 0 && var.release != var.function.version ? [var.canary / 100] : [] # not twice the same version
    content { additional_version_weights = { (var.function.version) = routing_config.value } }
  }
  lifecycle {
    precondition {
      condition     = var.function.published || !local.pinned
      error_message = <<-EOT
        release ${coalesce(var.release, "null")} is a version, and versions are called by the alias alone: set function.alias = true,
        or name an image, sha256:….
      EOT
    }
    precondition {
      condition     = var.canary == 0 || local.pinned
      error_message = <<-EOT
        canary divides the calls between two versions: release must be the number of the one that is live, and function.alias true.
        `sluice deploy --canary ${var.canary}` finds the number.
      EOT
    }
  }
  depends_on = [sluice_active_versions.this]
}

# Lambda moves this alias to a new version by weights of its own, for minutes, and takes no other number until they are gone, nor
# during a canary. Provider 6.34.0 does not wait for that (its pull request 48116 does): a change of both is applied twice.
resource "aws_lambda_provisioned_concurrency_config" "this" {
  count                             = var.provisioned_concurrency == null ? 0 : 1
  function_name                     = var.function.name
  qualifier                         = aws_lambda_alias.this.name
  provisioned_concurrent_executions = var.provisioned_concurrency
}

# Terraform publishes versions and deletes none, and the registry's own rule would not know which images they need.
resource "sluice_function_versions" "this" {
  function_name = aws_lambda_alias.this.function_name
  repository    = var.repository
  keep          = var.keep
  triggers      = { version = aws_lambda_alias.this.function_version, image = var.image_uri }
}
