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

variable "redis" {
  description = <<-EOT
    Size of a node (a t4g.micro holds 0.5 GB, more than the sessions of thousands); 1 node, or 2 and more for failover to another
    zone; for how many days a daily snapshot is kept, 0 makes none. password_update is how a new auth_token takes the place of the
    old one: with ROTATE Redis takes both, with SET the new one alone; a change from ROTATE to SET ends the old one (docs/runbook.md
    has the steps).
  EOT
  type = object({
    node_type       = optional(string, "cache.t4g.micro")
    nodes           = optional(number, 1)
    snapshot_days   = optional(number, 0)
    password_update = optional(string, "ROTATE")
  })
  default  = {}
  nullable = false

  validation {
    condition     = startswith(var.redis.node_type, "cache.")
    error_message = "redis.node_type must be one of ElastiCache's, such as cache.t4g.micro."
  }
  validation {
    condition     = var.redis.nodes >= 1 && var.redis.nodes <= 6 && floor(var.redis.nodes) == var.redis.nodes
    error_message = "redis.nodes must be 1 to 6."
  }
  validation {
    condition     = contains(range(36), var.redis.snapshot_days)
    error_message = "redis.snapshot_days must be 0 to 35: ElastiCache keeps a snapshot no longer."
  }
  validation {
    condition     = contains(["ROTATE", "SET"], var.redis.password_update)
    error_message = "redis.password_update must be ROTATE or SET."
  }
}

variable "engine_version" {
  description = "Redis's version, major and minor. An older one than before makes Redis anew, empty."
  type        = string
  default     = "7.1"
  nullable    = false
}
