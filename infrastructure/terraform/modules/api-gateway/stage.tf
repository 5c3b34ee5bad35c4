# A stage serves the deployment it points at, not the API as it is: whatever a
# request can notice must be in the trigger, the uri and the mode above all. After
# a change of mode the stage may answer 502 for a minute or two.
resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  triggers = { content = sha256(jsonencode([
    local.parts, var.binary_media_types, values(aws_api_gateway_integration_response.options)[*].response_parameters,
    [for i in aws_api_gateway_integration.stream : [i.uri, i.response_transfer_mode, i.timeout_milliseconds]],
  ])) }
  lifecycle { create_before_destroy = true }
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:log groups are encrypted at rest by CloudWatch's own key; access lines hold no bodies
  #checkov:skip=CKV_AWS_338:how long to keep access lines is the owner's to say
  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
}

module "account" {
  source = "../api-gateway-account"
  count  = var.account_log_role ? 1 : 0
  name   = var.name
}

resource "aws_api_gateway_stage" "this" {
  #checkov:skip=CKV_AWS_73:X-Ray is off by default; the access log has the timings of each hop
  #checkov:skip=CKV_AWS_120:an endpoint cache and streaming exclude each other
  #checkov:skip=CKV2_AWS_4:execution logs hold request bodies; the access log is on
  #checkov:skip=CKV2_AWS_29:a WAF costs more a month than the rest; attach one to the distribution where it is wanted
  #checkov:skip=CKV2_AWS_51:the caller is CloudFront, which holds the secret header and no client certificate
  rest_api_id   = aws_api_gateway_rest_api.this.id
  deployment_id = aws_api_gateway_deployment.this.id
  stage_name    = var.stage
  depends_on    = [module.account] # without its role no stage may write a log
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.this.arn
    format          = jsonencode({ for field in var.access_log : field => "$context.${field}" })
  }
}

# InvokeFunction also for streams: with InvokeWithResponseStream alone each call is an instant 500.
resource "aws_lambda_permission" "this" {
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  function_name = var.function.name
  qualifier     = var.function.qualifier
  source_arn    = "${aws_api_gateway_rest_api.this.execution_arn}/${var.stage}/*/*"
}
