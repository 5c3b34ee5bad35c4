# The API key by which API Gateway knows the distribution. Without it a request is
# refused before the function, so that strangers to the distribution start nothing.
terraform { required_version = ">= 1.5.7" }

resource "aws_api_gateway_api_key" "this" {
  name  = var.name
  value = var.key # another value forces a new key: requests by the old one get 403 until the distribution has the new one
}

resource "aws_api_gateway_usage_plan" "this" {
  name = var.name
  api_stages {
    api_id = var.api.id
    stage  = var.api.stage
  }
}

resource "aws_api_gateway_usage_plan_key" "this" {
  key_id        = aws_api_gateway_api_key.this.id
  key_type      = "API_KEY"
  usage_plan_id = aws_api_gateway_usage_plan.this.id
}
