# Where people open the site, without a trailing slash.
output "url" { value = "https://${var.domain == null ? module.distribution.cloudfront_distribution_domain_name : var.domain.name}" }

# Name of the site's bucket.
output "bucket" { value = module.site.s3_bucket_id }

# Id of the distribution, for invalidations and metrics.
output "distribution_id" { value = module.distribution.cloudfront_distribution_id }

# CloudFront's own name for the distribution, where DNS records lead.
output "domain_name" { value = module.distribution.cloudfront_distribution_domain_name }

# The zone of that name, which alias records carry.
output "zone_id" { value = module.distribution.cloudfront_distribution_hosted_zone_id }
