variable "name" {
  description = "Prefix of every name, unique in the account, e.g. librechat-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,26}[a-z0-9]$", var.name))
    error_message = <<-EOT
      name must be 3 to 28 lower-case letters, digits and hyphens, a letter first and no hyphen last:
      with the account and the region it becomes a bucket's name, of at most 63.
    EOT
  }
}

variable "api" {
  description = <<-EOT
    The REST API: its host, its stage, the path patterns that go to it, and whether it wants a key (module api-gateway's output
    origin).
  EOT
  type = object({
    domain_name      = string
    stage            = string
    paths            = list(string)
    api_key_required = optional(bool, false)
  })
}

variable "origin_secret" {
  description = <<-EOT
    The value of X-Origin-Verify, the header by which the API's function knows the distribution. CloudFront has no other
    place for it: whoever may read the distribution's configuration or the state sees it.
  EOT
  type        = string
  sensitive   = true
}

variable "domain" {
  description = "The custom domain and its certificate (module domain's output alias); null serves the site on CloudFront's own name."
  type = object({
    name            = string
    certificate_arn = string
  })
  default = null
}

variable "price_class" {
  description = "Where the distribution has edges; PriceClass_100 is North America and Europe."
  type        = string
  default     = "PriceClass_100"

  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], var.price_class)
    error_message = "price_class must be PriceClass_100, PriceClass_200 or PriceClass_All."
  }
}

variable "web_acl_id" {
  description = "ARN of a web ACL of AWS WAF, of scope CLOUDFRONT in us-east-1, that every request passes first; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.web_acl_id == null ? true : can(regex("^arn:aws[a-z-]*:wafv2:us-east-1:[0-9]{12}:global/webacl/", var.web_acl_id))
    error_message = "web_acl_id must be the ARN of a web ACL of scope CLOUDFRONT: arn:aws:wafv2:us-east-1:ACCOUNT:global/webacl/NAME/ID."
  }
}

variable "refused_paths" {
  description = "Paths that are neither the site's nor the API's and get 404 at the edge: those by which an operator watches one process."
  type        = list(string)
  default     = ["/livez", "/metrics", "/readyz"]
  nullable    = false

  validation {
    condition     = alltrue([for path in var.refused_paths : can(regex("^/[A-Za-z0-9._/-]+$", path))])
    error_message = "refused_paths must be whole paths such as /metrics: a slash, then letters, digits, dots, hyphens and slashes."
  }
}

variable "response_headers" {
  description = <<-EOT
    Headers that every response gets: the response headers policy of the cloudfront module, without its name. HSTS is for this
    host alone: with include_subdomains a site on an apex domain would forbid plain HTTP to every other host below it.
  EOT
  type = object({
    custom_headers_config = optional(object({
      items = list(object({ header = string, value = string, override = bool }))
    }))
    security_headers_config = optional(object({
      content_security_policy = optional(object({ content_security_policy = string, override = bool }))
      content_type_options    = optional(object({ override = bool }))
      frame_options           = optional(object({ frame_option = string, override = bool }))
      referrer_policy         = optional(object({ referrer_policy = string, override = bool }))
      strict_transport_security = optional(object({
        access_control_max_age_sec = number
        include_subdomains         = optional(bool)
        preload                    = optional(bool)
        override                   = bool
      }))
    }))
  })
  default = {
    custom_headers_config = { items = [{ header = "X-Robots-Tag", value = "noindex", override = true }] }
    security_headers_config = {
      content_type_options      = { override = true }
      frame_options             = { frame_option = "SAMEORIGIN", override = true }
      referrer_policy           = { referrer_policy = "strict-origin-when-cross-origin", override = true }
      strict_transport_security = { access_control_max_age_sec = 31536000, override = true }
    }
  }
  nullable = false
}
