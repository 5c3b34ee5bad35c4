# The alias that provisioned concurrency needs: it works on published versions, and
# the API then calls the alias.
terraform { required_version = ">= 1.5.7" }

resource "aws_lambda_alias" "this" {
  name             = "live"
  function_name    = var.function.name
  function_version = var.function.version
}

resource "aws_lambda_provisioned_concurrency_config" "this" {
  count                             = var.provisioned_concurrency == null ? 0 : 1
  function_name                     = var.function.name
  qualifier                         = aws_lambda_alias.this.name
  provisioned_concurrent_executions = var.provisioned_concurrency
}
