# What the API needs: the function's name, its alias, and the URI of the streaming
# invocations of one of both. The provider's response_streaming_invoke_arn knows no
# alias, and no plan knows it before apply.
output "function" {
  value = {
    name       = aws_lambda_function.this.function_name
    alias      = module.live.name
    invoke_uri = "${local.invoked}/${local.function}${local.published ? ":${module.live.name}" : ""}/response-streaming-invocations"
  }
}

# Where the image is pushed, without a tag. It is known at plan; the repository's own attribute is not.
output "repository_url" { value = "${dirname(local.repository)}/${aws_ecr_repository.this.name}" }

# The function's role, and the ARN of the function that has it (module network's input role).
output "role" { value = { name = aws_iam_role.this.id, function_arn = local.function } }

# Name of the bucket for uploads.
output "files_bucket" { value = module.files.bucket }

# Name of the function's log group.
output "log_group" { value = aws_cloudwatch_log_group.this.name }
