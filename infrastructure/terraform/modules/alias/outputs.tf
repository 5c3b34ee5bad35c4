# The alias's name, by which the API calls it.
output "name" { value = aws_lambda_alias.this.name }
