# The role by which API Gateway writes logs: one setting for all APIs of an
# account and region, without which no stage may write a log.
terraform { required_version = ">= 1.5.7" }

data "aws_partition" "this" {}

resource "aws_iam_role" "log" {
  name = "${var.name}-api-log"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [
    { Effect = "Allow", Principal = { Service = "apigateway.amazonaws.com" }, Action = "sts:AssumeRole" },
  ] })
}

resource "aws_iam_role_policy_attachment" "log" {
  role       = aws_iam_role.log.name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
}

# API Gateway tries the role when it is set, so the role needs its policy by then.
resource "aws_api_gateway_account" "this" {
  cloudwatch_role_arn = aws_iam_role.log.arn
  depends_on          = [aws_iam_role_policy_attachment.log]
}
