# What an account has once in a region, for all environments: the role by which API
# Gateway writes logs, without which no stage may write one.
terraform { required_version = ">= 1.5.7" }

data "aws_partition" "this" {}
data "aws_region" "this" {}

# Module api-gateway finds the role by its path. Roles have one namespace for all regions of an account.
resource "aws_iam_role" "log" {
  name = "sluice-api-log-${data.aws_region.this.region}"
  path = "/sluice/api-log/${data.aws_region.this.region}/"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [
    { Effect = "Allow", Principal = { Service = "apigateway.amazonaws.com" }, Action = "sts:AssumeRole" },
  ] })
}

# A role that is made anew under its name comes without policies. Its id is the name, too, but unknown to such a plan, which then
# makes this anew as well.
resource "aws_iam_role_policy_attachment" "log" {
  role       = aws_iam_role.log.id
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
}

# API Gateway tries the role when it is set, so the role needs its policy by then. A region has one: the role of another
# stack is overwritten, and destroy leaves the region without any.
resource "aws_api_gateway_account" "this" {
  cloudwatch_role_arn = aws_iam_role.log.arn
  depends_on          = [aws_iam_role_policy_attachment.log]
}
