# The role, once API Gateway has it.
output "log_role" { value = aws_api_gateway_account.this.cloudwatch_role_arn }
