# The REST API in front of the function. For each path pattern of the list: a
# resource, ANY that streams from the function, OPTIONS that is answered here.
# Then what makes it live: the deployment, the log, the stage, the permission.
terraform { required_version = ">= 1.5.7" }

data "aws_region" "this" {}
data "aws_partition" "this" {}

locals {
  parts = { for path in var.paths : path => trimsuffix(trimprefix(path, "/"), "/*") }
  trees = { for path, part in local.parts : path => part if endswith(path, "/*") }
}

# Edge-optimized APIs cut a silent stream after 30 s, regional ones after 5 min.
resource "aws_api_gateway_rest_api" "this" {
  #checkov:skip=CKV_AWS_237:a new API has a new host name, which the distribution must learn before the old one goes; the graph orders that
  name               = var.name
  binary_media_types = var.binary_media_types
  endpoint_configuration { types = ["REGIONAL"] }
}

resource "aws_api_gateway_resource" "tree" {
  for_each    = local.trees
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = each.value
}

resource "aws_api_gateway_resource" "path" {
  for_each    = local.parts
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = try(aws_api_gateway_resource.tree[each.key].id, aws_api_gateway_rest_api.this.root_resource_id)
  path_part   = endswith(each.key, "/*") ? "{proxy+}" : each.value
}

resource "aws_api_gateway_method" "any" {
  #checkov:skip=CKV_AWS_59:the app has its own login; strangers to the distribution are refused by the secret header
  #checkov:skip=CKV2_AWS_53:the app validates its requests
  for_each      = local.parts
  rest_api_id   = aws_api_gateway_rest_api.this.id
  resource_id   = aws_api_gateway_resource.path[each.key].id
  http_method   = "ANY"
  authorization = "NONE"
}

resource "aws_api_gateway_integration" "stream" {
  for_each                = local.parts
  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_resource.path[each.key].id
  http_method             = aws_api_gateway_method.any[each.key].http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST" # Lambda is invoked by POST, whatever the viewer's method
  uri                     = var.function.invoke_uri
  response_transfer_mode  = "STREAM" # taking the line away does not take streaming away: write BUFFERED
  timeout_milliseconds    = 900000
}

resource "aws_api_gateway_method" "options" {
  #checkov:skip=CKV_AWS_59:it says which methods there are, and nothing else
  #checkov:skip=CKV2_AWS_53:nothing of the request is read
  for_each      = local.parts
  rest_api_id   = aws_api_gateway_rest_api.this.id
  resource_id   = aws_api_gateway_resource.path[each.key].id
  http_method   = "OPTIONS"
  authorization = "NONE"
}

resource "aws_api_gateway_integration" "options" {
  for_each          = local.parts
  rest_api_id       = aws_api_gateway_rest_api.this.id
  resource_id       = aws_api_gateway_resource.path[each.key].id
  http_method       = aws_api_gateway_method.options[each.key].http_method
  type              = "MOCK"
  request_templates = { "application/json" = jsonencode({ statusCode = 204 }) }
}

resource "aws_api_gateway_method_response" "options" {
  for_each            = local.parts
  rest_api_id         = aws_api_gateway_rest_api.this.id
  resource_id         = aws_api_gateway_resource.path[each.key].id
  http_method         = aws_api_gateway_method.options[each.key].http_method
  status_code         = "204"
  response_parameters = { "method.response.header.Allow" = true }
}

resource "aws_api_gateway_integration_response" "options" {
  for_each            = local.parts
  rest_api_id         = aws_api_gateway_rest_api.this.id
  resource_id         = aws_api_gateway_resource.path[each.key].id
  http_method         = aws_api_gateway_integration.options[each.key].http_method
  status_code         = aws_api_gateway_method_response.options[each.key].status_code
  response_parameters = { "method.response.header.Allow" = "'GET, HEAD, OPTIONS, PUT, POST, PATCH, DELETE'" }
}

# A stage serves the deployment it points at, not the API as it is: whatever a
# request can notice must be in the trigger, the uri and the mode above all. After
# a change of mode the stage may answer 502 for a minute or two.
resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  triggers = { content = sha256(jsonencode([local.parts, var.binary_media_types, values(aws_api_gateway_integration_response.options)[*].response_parameters,
  [for i in aws_api_gateway_integration.stream : [i.uri, i.response_transfer_mode, i.timeout_milliseconds]]])) }
  lifecycle { create_before_destroy = true }
}

resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_158:log groups are encrypted at rest by CloudWatch's own key; access lines hold no bodies
  #checkov:skip=CKV_AWS_338:how long to keep access lines is the owner's to say
  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
}

# One setting for all APIs of an account and region: without it no stage may write a log.
resource "aws_iam_role" "log" {
  count              = var.account_log_role ? 1 : 0
  name               = "${var.name}-api-log"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = { Service = "apigateway.amazonaws.com" }, Action = "sts:AssumeRole" }] })
}

resource "aws_iam_role_policy_attachment" "log" {
  count      = var.account_log_role ? 1 : 0
  role       = aws_iam_role.log[0].name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
}

resource "aws_api_gateway_account" "this" {
  count               = var.account_log_role ? 1 : 0
  cloudwatch_role_arn = aws_iam_role.log[0].arn
  depends_on          = [aws_iam_role_policy_attachment.log]
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
  depends_on    = [aws_api_gateway_account.this]
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
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
