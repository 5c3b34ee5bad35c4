variable "name" {
  description = "The environment, which is the prefix of every name: project and environment_name with a hyphen between."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,26}[a-z0-9]$", var.name)) && can(regex("^.+-[^-]+$", var.name))
    error_message = "name must be project and environment_name: 3 to 28 lower-case letters, digits and hyphens, such as librechat-dev."
  }
}

variable "tags" {
  description = <<-EOT
    The tags Project and Environment by which security groups and the distribution are known as this environment's: AWS makes up
    their ids. null is what stands before and after the last hyphen of name.
  EOT
  type = object({
    project     = string
    environment = string
  })
  default = null
}

variable "vpc_id" {
  description = "The VPC (network.vpc_id) that security groups may be made in; * is any."
  type        = string
  default     = "*"
  nullable    = false
}

variable "zone_id" {
  description = "The hosted zone (domain.zone_id) whose A and AAAA records may be changed; * is any."
  type        = string
  default     = "*"
  nullable    = false
}

variable "domain" {
  description = <<-EOT
    The name (domain.name) whose records may be changed; * is any of the zone, which it takes to change the name.
  EOT
  type        = string
  default     = "*"
  nullable    = false
}

variable "config_bucket" {
  description = "The bucket of librechat.yaml (config.bucket), which a plan lists; * is any."
  type        = string
  default     = "*"
  nullable    = false
}

variable "documentdb_security_group_id" {
  description = "DocumentDB's security group, where documentdb.add_rule lets the stack open it; null opens none."
  type        = string
  default     = null
}

variable "state" {
  description = <<-EOT
    Where the state lies in S3, with use_lockfile = true beside it; kms_key is the backend's kms_key_id, as an ARN, where it has one
    (encrypt = true alone takes S3's own key, whatever the bucket has). null is elsewhere, and needs no right of AWS.
  EOT
  type = object({
    bucket  = string
    key     = string
    kms_key = optional(string)
  })
  default = null
}
