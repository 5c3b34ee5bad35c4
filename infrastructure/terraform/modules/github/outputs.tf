# ARN of each role: what aws-actions/configure-aws-credentials wants as role-to-assume.
output "roles" { value = { for name, role in aws_iam_role.this : name => role.arn } }
