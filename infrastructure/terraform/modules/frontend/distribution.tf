# The behavior of every path, of the site and of the API.
locals { behavior = { viewer_protocol_policy = "redirect-to-https", response_headers_policy_key = "security" } }

locals { spa = replace(file("${path.module}/functions/spa.js"), "REFUSED = []", "REFUSED = ${jsonencode(var.refused_paths)}") }

locals { key = var.api.api_key_required ? { "x-api-key" = sha256(var.origin_secret) } : {} }

module "distribution" {
  #checkov:skip=CKV_TF_1:a registry module is named by its exact version; a commit hash would take it from git, past the registry
  source  = "terraform-aws-modules/cloudfront/aws"
  version = "6.6.0"

  comment             = local.name
  aliases             = var.domain[*].name # a name is of one distribution in all of AWS: CNAMEAlreadyExists while another has it
  default_root_object = "index.html"
  http_version        = "http2and3"
  price_class         = var.price_class
  web_acl_id          = var.web_acl_id
  viewer_certificate = {
    acm_certificate_arn            = one(var.domain[*].certificate_arn)
    cloudfront_default_certificate = var.domain == null
    # With its own certificate CloudFront takes TLSv1 and no other value.
    minimum_protocol_version = var.domain == null ? "TLSv1" : "TLSv1.2_2021"
    ssl_support_method       = var.domain == null ? null : "sni-only"
  }

  # The module calls its default access control "s3": two stacks of one account would collide.
  origin_access_control = {
    site = { name = "${local.name}-site", origin_type = "s3", signing_behavior = "always", signing_protocol = "sigv4" }
  }
  origin = {
    site = { domain_name = module.site.s3_bucket_bucket_regional_domain_name, origin_access_control_key = "site" }
    api = {
      domain_name = var.api.domain_name
      origin_path = "/${var.api.stage}"
      # OAC cannot sign for API Gateway: headers prove the caller, to the function and, where it wants a key, to the API.
      custom_header = merge({ "X-Origin-Verify" = var.origin_secret }, local.key)
      custom_origin_config = {
        # The read timeout counts between two packets, not for the whole answer; 120 s is the most.
        http_port = 80, https_port = 443, origin_protocol_policy = "https-only", origin_keepalive_timeout = 60, origin_read_timeout = 120
      }
    }
  }

  # CloudFront keeps an error for 10 s for everybody, even where caching is disabled and whatever
  # Cache-Control says. Without a page nothing is masked: status and body stay the API's.
  custom_error_response = [for code in [404, 414, 500, 501, 502, 503, 504] : { error_code = code, error_caching_min_ttl = 0 }]

  # SPA routes are rewritten here and not by a custom error response: that has no
  # path condition and would turn the API's 403 and 404 into a page.
  # Another name forces a new function, and never succeeds: AWS deletes none that is in use, and the distribution changes later.
  cloudfront_functions = { spa = { name = "${local.name}-spa", code = local.spa } }
  default_cache_behavior = merge(local.behavior, {
    target_origin_id     = "site", cache_policy_id = "658327ea-f89d-4fab-a63d-7e88639e58f6" # Managed-CachingOptimized
    function_association = { viewer-request = { function_key = "spa" } }
  })
  ordered_cache_behavior = [for path in var.api.paths : merge(local.behavior, {
    path_pattern             = path, target_origin_id = "api"
    allowed_methods          = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
    cache_policy_id          = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad" # Managed-CachingDisabled
    origin_request_policy_id = "b689b0a8-53d0-40ab-baf2-68738e2966ac" # Managed-AllViewerExceptHostHeader: the API's Host is its own
    compress                 = false                                  # the edge would gather a stream to compress it
  })]
  response_headers_policies = { security = merge({ name = "${local.name}-security" }, var.response_headers) }
}
