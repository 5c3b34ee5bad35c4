# The role by which API Gateway writes logs.
output "log_role" { value = module.account.log_role }
