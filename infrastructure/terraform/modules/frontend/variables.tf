variable "name" {
  description = "Prefix of every name, unique in the account, e.g. librechat-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,28}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 30 lower-case letters, digits and hyphens, a letter first and no hyphen last: it becomes part of bucket and role names."
  }
}

variable "api" {
  description = "The REST API behind the distribution: its host, its stage, and the path patterns that go to it (module api-gateway's output origin)."
  type = object({
    domain_name = string
    stage       = string
    paths       = list(string)
  })
}

variable "origin_secret" {
  description = "What the API's origin gets in X-Origin-Verify. CloudFront has no other place for it: whoever may read the distribution's configuration or the state sees it."
  type        = string
  sensitive   = true
}

variable "domain" {
  description = "A custom domain: its name, the public Route 53 zone that holds it, and an issued certificate of us-east-1. certificate_domain is the certificate's main name where that is a wildcard. Without it the site is served on CloudFront's own name."
  type = object({
    name               = string
    zone_id            = optional(string)
    certificate_arn    = optional(string)
    certificate_domain = optional(string)
  })
  default = null

  validation {
    condition     = var.domain == null || can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain.name))
    error_message = "domain.name must be a host name such as chat.example.com: no scheme, no path, no upper case."
  }
  validation {
    condition     = var.domain == null || can(regex("^[A-Z0-9]{10,}$", var.domain.zone_id))
    error_message = "domain.name needs domain.zone_id, the id (Z…) of the public hosted zone that holds it: add it, or leave domain out to use CloudFront's own name."
  }
  validation {
    condition     = var.domain == null || can(regex("^arn:aws[a-z-]*:acm:us-east-1:[0-9]{12}:certificate/", var.domain.certificate_arn))
    error_message = "domain.certificate_arn must be a certificate of us-east-1, the one region where CloudFront reads them: request or import it there and give that ARN."
  }
  validation {
    condition     = try(var.domain.certificate_domain, null) == null ? true : contains([var.domain.name, "*.${join(".", slice(split(".", var.domain.name), 1, length(split(".", var.domain.name))))}"], var.domain.certificate_domain)
    error_message = "domain.certificate_domain does not cover domain.name: use a certificate of that name, or of a wildcard one level above it."
  }
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

variable "response_headers" {
  description = "Headers that every response gets: the response headers policy of the cloudfront module, without its name."
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
      strict_transport_security = { access_control_max_age_sec = 31536000, include_subdomains = true, override = true }
    }
  }
  nullable = false
}
