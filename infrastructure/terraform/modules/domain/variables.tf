variable "domain" {
  description = <<-EOT
    The name, the public Route 53 zone that holds it, and an issued certificate of us-east-1 that covers it, by any of its names.
    Without certificate_arn it is found by the name: of several the one that expires last.
  EOT
  type = object({
    name            = string
    zone_id         = optional(string)
    certificate_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain.name))
    error_message = "domain.name must be a host name such as chat.example.com: no scheme, no path, no upper case."
  }
  validation {
    condition     = can(regex("^[A-Z0-9]{10,}$", var.domain.zone_id))
    error_message = <<-EOT
      domain.name needs domain.zone_id, the id (Z…) of the public hosted zone that holds it:
      add it, or leave domain out to use CloudFront's own name.
    EOT
  }
  validation {
    condition = (var.domain.certificate_arn == null ? true :
    can(regex("^arn:aws[a-z-]*:acm:us-east-1:[0-9]{12}:certificate/", var.domain.certificate_arn)))
    error_message = <<-EOT
      domain.certificate_arn must be a certificate of us-east-1, the one region where CloudFront reads them:
      request or import it there and give that ARN.
    EOT
  }
}

variable "distribution" {
  description = "Where the records lead: CloudFront's own name for the distribution, and the zone of that name (module frontend's outputs)."
  type = object({
    domain_name = string
    zone_id     = string
  })
}
