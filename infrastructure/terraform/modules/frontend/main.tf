# The site in a private bucket, and the one distribution that serves it and the
# API under one domain. Read on: the bucket, the zone and certificate, the
# distribution, the DNS records.
terraform { required_version = ">= 1.5.7" }

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

module "site" {
  #checkov:skip=CKV_TF_1:a registry module is named by its exact version; a commit hash would take it from git, past the registry
  source  = "terraform-aws-modules/s3-bucket/aws"
  version = "5.10.0"

  bucket                                = "${var.name}-site-${data.aws_caller_identity.this.account_id}"
  force_destroy                         = true
  attach_deny_insecure_transport_policy = true
  attach_policy                         = true
  # GetObject alone: without ListBucket S3 answers 403, not 404, for what is not there.
  policy = jsonencode({ Version = "2012-10-17", Statement = [{
    Effect    = "Allow", Principal = { Service = "cloudfront.amazonaws.com" }, Action = "s3:GetObject"
    Resource  = "arn:${data.aws_partition.this.partition}:s3:::${var.name}-site-${data.aws_caller_identity.this.account_id}/*"
    Condition = { StringEquals = { "AWS:SourceArn" = module.distribution.cloudfront_distribution_arn } }
  }] })
}

# All zones are listed first: a data source of an unknown zone fails without saying what to change.
data "aws_route53_zones" "all" { count = var.domain == null ? 0 : 1 }

data "aws_route53_zone" "this" {
  count   = var.domain == null ? 0 : 1
  zone_id = var.domain.zone_id
  lifecycle {
    precondition {
      condition     = contains(data.aws_route53_zones.all[0].ids, var.domain.zone_id)
      error_message = "This account has no hosted zone ${var.domain.zone_id}: set domain.zone_id to one that `aws route53 list-hosted-zones` shows."
    }
    postcondition {
      condition     = !self.private_zone && (var.domain.name == self.name || endswith(var.domain.name, ".${self.name}"))
      error_message = "${var.domain.name} is not a name of the public hosted zone ${var.domain.zone_id} (${self.name}): set domain.zone_id to the zone that holds it, or change domain.name."
    }
  }
}

# CloudFront reads certificates in us-east-1, wherever the rest stands.
data "aws_acm_certificate" "this" {
  count       = var.domain == null ? 0 : 1
  region      = "us-east-1"
  domain      = coalesce(var.domain.certificate_domain, var.domain.name)
  most_recent = true
  lifecycle {
    postcondition {
      condition     = self.arn == var.domain.certificate_arn
      error_message = "The newest issued certificate of ${self.domain} in us-east-1 is ${self.arn}: set domain.certificate_arn to it, or domain.certificate_domain to the main name of the certificate that you want."
    }
  }
}

# What holds for every path, of the site and of the API.
locals { behavior = { viewer_protocol_policy = "redirect-to-https", response_headers_policy_key = "security" } }

module "distribution" {
  #checkov:skip=CKV_TF_1:a registry module is named by its exact version; a commit hash would take it from git, past the registry
  source  = "terraform-aws-modules/cloudfront/aws"
  version = "6.6.0"

  comment             = var.name
  aliases             = var.domain[*].name
  default_root_object = "index.html"
  http_version        = "http2and3"
  price_class         = var.price_class
  viewer_certificate = {
    acm_certificate_arn            = one(data.aws_acm_certificate.this[*].arn)
    cloudfront_default_certificate = var.domain == null
    # With its own certificate CloudFront takes TLSv1 and no other value, whatever is asked for.
    minimum_protocol_version = var.domain == null ? "TLSv1" : "TLSv1.2_2021"
    ssl_support_method       = var.domain == null ? null : "sni-only"
  }

  # The module calls its default access control "s3": two stacks of one account would collide.
  origin_access_control = { site = { name = "${var.name}-site", origin_type = "s3", signing_behavior = "always", signing_protocol = "sigv4" } }
  origin = {
    site = { domain_name = module.site.s3_bucket_bucket_regional_domain_name, origin_access_control_key = "site" }
    api = {
      domain_name   = var.api.domain_name
      origin_path   = "/${var.api.stage}"
      custom_header = { "X-Origin-Verify" = var.origin_secret } # OAC cannot sign for API Gateway: this proves the way
      # The read timeout counts between two packets, not for the whole answer; 120 s is the most.
      custom_origin_config = { http_port = 80, https_port = 443, origin_protocol_policy = "https-only", origin_keepalive_timeout = 60, origin_read_timeout = 120 }
    }
  }

  # CloudFront keeps an error for 10 s for everybody, even where caching is disabled and whatever
  # Cache-Control says. Without a page nothing is masked: status and body stay the API's.
  custom_error_response = [for code in [404, 414, 500, 501, 502, 503, 504] : { error_code = code, error_caching_min_ttl = 0 }]

  # SPA routes are rewritten here and not by a custom error response: that has no
  # path condition and would turn the API's 403 and 404 into a page.
  cloudfront_functions = { spa = { name = "${var.name}-spa", code = file("${path.module}/functions/spa.js") } }
  default_cache_behavior = merge(local.behavior, {
    target_origin_id     = "site"
    cache_policy_id      = "658327ea-f89d-4fab-a63d-7e88639e58f6" # Managed-CachingOptimized
    function_association = { viewer-request = { function_key = "spa" } }
  })
  ordered_cache_behavior = [for path in var.api.paths : merge(local.behavior, {
    path_pattern             = path
    target_origin_id         = "api"
    allowed_methods          = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
    cache_policy_id          = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad" # Managed-CachingDisabled
    origin_request_policy_id = "b689b0a8-53d0-40ab-baf2-68738e2966ac" # Managed-AllViewerExceptHostHeader: the API's Host is its own
    compress                 = false                                  # the edge would gather a stream to compress it
  })]
  response_headers_policies = { security = merge({ name = "${var.name}-security" }, var.response_headers) }
}

resource "aws_route53_record" "this" {
  for_each = toset(var.domain == null ? [] : ["A", "AAAA"])
  zone_id  = data.aws_route53_zone.this[0].zone_id
  name     = var.domain.name
  type     = each.key
  alias {
    name                   = module.distribution.cloudfront_distribution_domain_name
    zone_id                = module.distribution.cloudfront_distribution_hosted_zone_id
    evaluate_target_health = false
  }
}
