# A stage serves the deployment it points at, not the API as it is: whatever a
# request can notice must be in the trigger, the uri and the mode above all. After
# a change of mode the stage may answer 502 for a minute or two.
# Not aws_api_gateway_deployment: its create_before_destroy would spread to all that the
# deployment depends on, the function and Redis among it, and things of fixed names that an
# interrupted apply leaves behind would be created beside themselves, which fails for ever.
resource "sluice_api_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  triggers = { content = sha256(jsonencode([
    local.parts, var.binary_media_types, var.api_key_required, values(aws_api_gateway_integration_response.options)[*].response_parameters,
    [for i in aws_api_gateway_integration.stream : [i.uri, i.response_transfer_mode, i.timeout_milliseconds]],
  ])) }
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:log groups are encrypted at rest by CloudWatch's own key; access lines hold no bodies
  #checkov:skip=CKV_AWS_338:how long to keep access lines is the owner's to say
  name              = "/aws/apigateway/${var.name}" # another name forces a new group, and the lines go with the old one
  retention_in_days = var.log_retention_days
}

# The role of module account, once a region: a stage that logs without it fails the apply.
data "aws_iam_roles" "log" { path_prefix = "/sluice/api-log/${data.aws_region.this.region}/" }

locals { log = coalesce(var.log_role, length(data.aws_iam_roles.log.arns) > 0) }

check "log_role" {
  assert {
    condition     = local.log || var.log_role == false
    error_message = <<-EOT
      The stage writes no access log: ${data.aws_region.this.region} has no role of module account. Apply environments/account
      once in this region, then this again; or set log_role: true where another stack gives API Gateway a role, false for no log.
    EOT
  }
}

resource "aws_api_gateway_stage" "this" {
  #checkov:skip=CKV_AWS_73:X-Ray is not offered; the access log has the timings of each hop
  #checkov:skip=CKV_AWS_120:an endpoint cache and streaming exclude each other
  #checkov:skip=CKV2_AWS_4:execution logs hold request bodies; the access log is on where the region has its role
  #checkov:skip=CKV2_AWS_29:a web ACL costs 5 dollars a month and 1 a rule; web_acl_id attaches one to the distribution
  #checkov:skip=CKV2_AWS_51:the caller is CloudFront, which holds the secret header and no client certificate
  rest_api_id   = aws_api_gateway_rest_api.this.id
  deployment_id = sluice_api_deployment.this.id
  stage_name    = var.stage # another name forces a new stage: until the distribution has it too, the API answers 403
  dynamic "access_log_settings" {
    for_each = local.log ? [aws_cloudwatch_log_group.this.arn] : []
    content {
      destination_arn = access_log_settings.value
      format          = jsonencode({ for field in var.access_log : field => "$context.${field}" })
    }
  }
}

module "usage_plan" {
  source = "../usage-plan"
  count  = var.api_key_required ? 1 : 0
  name   = var.name
  api    = { id = aws_api_gateway_rest_api.this.id, stage = aws_api_gateway_stage.this.stage_name }
  key    = sha256(var.origin_secret) # as module frontend sends it
}

# Without it the account's 10,000 requests a second, with bursts of 5,000, are the only limit.
resource "aws_api_gateway_method_settings" "this" {
  #checkov:skip=CKV_AWS_225:an endpoint cache and streaming exclude each other
  count       = var.throttling == null ? 0 : 1
  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = "*/*"
  settings {
    throttling_rate_limit  = var.throttling.rate_limit
    throttling_burst_limit = var.throttling.burst_limit
  }
}

# InvokeFunction also for streams: with InvokeWithResponseStream alone each call is an instant 500. For the function and
# for its alias, whichever is called: a permission that had to come with the change would come too late.
resource "aws_lambda_permission" "this" {
  for_each      = { function = null, alias = var.function.alias }
  statement_id  = "api-${each.key}" # by which one whose answer was lost is found again; a new API or stage gets 500 until it is made anew
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  function_name = var.function.name
  qualifier     = each.value
  source_arn    = "${aws_api_gateway_rest_api.this.execution_arn}/${var.stage}/*/*"
}
