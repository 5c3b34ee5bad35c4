# Where people open the site.
output "url" { value = module.frontend.url }

# The distribution and the bucket of the site behind it.
output "site" { value = { bucket = module.frontend.bucket, distribution_id = module.frontend.distribution_id } }

# The function, the repository of its image and the bucket of its uploads.
output "function" {
  value = {
    name         = module.backend.function.name, repository_url = module.backend.repository_url
    files_bucket = module.backend.files_bucket
  }
}

# Where to read what happened.
output "log_groups" { value = { function = module.backend.log_group, api = module.api_gateway.live.log_group } }
