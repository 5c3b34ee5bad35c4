locals { parts = { for path in var.paths : path => trimsuffix(trimprefix(path, "/"), "/*") } }

resource "aws_api_gateway_resource" "tree" {
  for_each    = { for path, part in local.parts : path => part if endswith(path, "/*") }
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
  #checkov:skip=CKV_AWS_59:callers need the distribution's API key, unless api_key_required is false; the app has its own login
  #checkov:skip=CKV2_AWS_53:the app validates its requests
  for_each      = local.parts
  rest_api_id   = aws_api_gateway_rest_api.this.id
  resource_id   = aws_api_gateway_resource.path[each.key].id
  http_method   = "ANY"
  authorization = "NONE"

  api_key_required = var.api_key_required
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
