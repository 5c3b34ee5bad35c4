variable "region" {
  description = "Region of all but the distribution and its certificate."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be a region's code such as eu-west-1."
  }
}

variable "project" {
  description = "First part of every name."
  type        = string
  default     = "librechat"
  nullable    = false
}

variable "environment_name" {
  description = "Second part of every name: dev, test, prod."
  type        = string
  default     = "dev"
  nullable    = false
}

variable "tags" {
  description = "Tags of every resource, besides Project, Environment and ManagedBy."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "image" {
  description = <<-EOT
    The app's own image: REPOSITORY:TAG, REPOSITORY@DIGEST, oci:DIR or tar:FILE.
    With the bootstrap added it becomes the function's image; the site is taken out of it.
  EOT
  type        = string
  default     = "ghcr.io/danny-avila/librechat-api:v0.8.2-rc1"
  nullable    = false
}

variable "site" {
  description = "The built front end from elsewhere: a directory, image:REF, oci:DIR or tar:FILE. Null takes it out of image."
  type        = string
  default     = null
}

variable "ca_bundle" {
  description = "Certificates in PEM for /opt/sluice/ca.pem in the image, such as DocumentDB's (tlsCAFile in MONGO_URI)."
  type        = string
  default     = null
}

variable "network" {
  description = "The existing VPC, its private subnets in two zones or more, and further security groups that the function joins."
  type = object({
    vpc_id             = string
    subnet_ids         = list(string)
    security_group_ids = optional(list(string), [])
  })
}

variable "domain" {
  description = "The custom domain with its existing hosted zone and certificate (us-east-1); null uses CloudFront's own name."
  type = object({
    name               = string
    zone_id            = optional(string)
    certificate_arn    = optional(string)
    certificate_domain = optional(string)
  })
  default = null
}

variable "config" {
  description = "librechat.yaml in an existing bucket, and what to replace in it; __SITE_URL__ is always replaced."
  type = object({
    bucket  = string
    key     = optional(string, "librechat.yaml")
    replace = optional(map(string), {})
  })
}

variable "secrets" {
  description = "Environment variables of the app to the existing SSM parameters (SecureString) that hold them."
  type        = map(string)
}

variable "documentdb" {
  description = "The existing DocumentDB cluster's security group and port; its address is part of the secret MONGO_URI."
  type = object({
    security_group_id = string
    port              = optional(number, 27017)
  })
  default = null
}

variable "services" {
  description = "The existing Cloud Map namespace and the ports of its services that the function calls."
  type = object({
    namespace = string
    ports     = list(number)
  })
  default = null
}

variable "environment" {
  description = "Further environment of the app and the bootstrap, in clear."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "api_paths" {
  description = "What goes to the function; all else is the site."
  type        = list(string)
  default     = ["/api/*", "/oauth/*", "/images/*", "/health"]
  nullable    = false
}

variable "function" {
  description = "Size of the function and how it starts (module backend)."
  type = object({
    architecture            = optional(string, "x86_64")
    memory_size             = optional(number, 2048)
    timeout                 = optional(number, 900)
    ephemeral_storage       = optional(number, 512)
    reserved_concurrency    = optional(number, -1)
    start                   = optional(string, "on-demand")
    provisioned_concurrency = optional(number, 1)
  })
  default  = {}
  nullable = false
}

variable "redis" {
  description = "Size of Redis: one small node, or two for failover."
  type = object({
    node_type = optional(string, "cache.t4g.micro")
    nodes     = optional(number, 1)
  })
  default  = {}
  nullable = false
}

variable "account_log_role" {
  description = "Set the account's and region's one role for API Gateway's logs; false where another stack has set it."
  type        = bool
  default     = true
  nullable    = false
}

variable "monitoring" {
  description = "Alarms and a dashboard; null makes none. alarm_actions are ARNs such as an SNS topic's."
  type = object({
    alarm_actions = optional(list(string), [])
  })
  default = null
}
