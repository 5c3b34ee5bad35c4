# ARNs for the repository's variables SLUICE_PLAN_ROLE (plan) and SLUICE_DEPLOY_ROLE (deploy).
output "roles" { value = module.github.roles }
