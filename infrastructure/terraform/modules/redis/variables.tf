variable "name" {
  description = "Id of the replication group, e.g. librechat-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,39}$", var.name)) && !strcontains(var.name, "--") && !endswith(var.name, "-")
    error_message = <<-EOT
      name must be at most 40 lower-case letters, digits and single hyphens, a letter first and no hyphen last:
      ElastiCache takes no other.
    EOT
  }
}

variable "auth_token" {
  description = "The password, 16 to 128 characters that a URI takes as they are."
  type        = string
  sensitive   = true
}

variable "auth_token_update" {
  description = <<-EOT
    How a new auth_token takes the place of the old one: with ROTATE Redis takes both, with SET the new one alone. A change from
    ROTATE to SET ends the old one (docs/runbook.md has the steps).
  EOT
  type        = string
  default     = "ROTATE"
  nullable    = false

  validation {
    condition     = contains(["ROTATE", "SET"], var.auth_token_update)
    error_message = "auth_token_update must be ROTATE or SET."
  }
}

variable "network" {
  description = "The VPC and its private subnets."
  type = object({
    vpc_id     = string
    subnet_ids = list(string)
  })
}

variable "client_security_group_id" {
  description = "The one security group whose members may connect: the function's."
  type        = string
}

variable "node_type" {
  description = "Size of a node; a t4g.micro holds 0.5 GB, more than the sessions of thousands."
  type        = string
  default     = "cache.t4g.micro"
  nullable    = false

  validation {
    condition     = startswith(var.node_type, "cache.")
    error_message = "node_type must be one of ElastiCache's, such as cache.t4g.micro."
  }
}

variable "nodes" {
  description = "1, or 2 and more for failover to another zone."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.nodes >= 1 && var.nodes <= 6 && floor(var.nodes) == var.nodes
    error_message = "nodes must be 1 to 6."
  }
}

variable "engine_version" {
  description = "Redis's version, major and minor."
  type        = string
  default     = "7.1"
  nullable    = false
}
