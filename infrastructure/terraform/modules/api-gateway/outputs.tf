# What the distribution needs: host, stage and path patterns. Made of the API
# alone, not of its stage, so that the function may know the distribution's name.
output "origin" {
  value = { stage = var.stage, paths = var.paths, api_key_required = var.api_key_required, domain_name = join(".", [
    aws_api_gateway_rest_api.this.id, "execute-api", data.aws_region.this.region, data.aws_partition.this.dns_suffix,
  ]) }
}

# The API's name, its stage once that is live, and the group of its access log.
output "live" { value = { name = var.name, stage = aws_api_gateway_stage.this.stage_name, log_group = aws_cloudwatch_log_group.this.name } }
