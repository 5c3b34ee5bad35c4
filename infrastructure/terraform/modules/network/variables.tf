variable "name" {
  description = "Name of the function's security group, e.g. librechat-dev."
  type        = string
}

variable "network" {
  description = <<-EOT
    The existing VPC, two or more private subnets in different zones with a way out to the internet,
    and further security groups that the function joins.
  EOT
  type = object({
    vpc_id             = string
    subnet_ids         = list(string)
    security_group_ids = optional(list(string), [])
  })

  validation {
    condition     = can(regex("^vpc-[0-9a-f]+$", var.network.vpc_id))
    error_message = "network.vpc_id must be a VPC's id, vpc-…."
  }
  validation {
    condition = length(var.network.subnet_ids) >= 2 && alltrue([
      for id in var.network.subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))
    ])
    error_message = "network.subnet_ids must be two or more subnets' ids, subnet-…, of different availability zones."
  }
  validation {
    condition     = alltrue([for id in var.network.security_group_ids : can(regex("^sg-[0-9a-f]+$", id))])
    error_message = "network.security_group_ids must be security groups' ids, sg-…."
  }
}

variable "role" {
  description = "The function's role, which gets the right to join the network, and the function's ARN (module backend's output)."
  type = object({
    name         = string
    function_arn = string
  })
}

variable "redis_security_group_id" {
  description = "Security group of Redis, which the function may reach (module redis's output)."
  type        = string
}

variable "documentdb" {
  description = <<-EOT
    The existing DocumentDB cluster's security group, which gets a rule that lets the function in. add_rule = false leaves
    the rule to the group's owner, whose inline rules would take ours away. The cluster's address is part of the secret MONGO_URI.
  EOT
  type = object({
    security_group_id = string
    port              = optional(number, 27017)
    add_rule          = optional(bool, true)
  })
  default = null

  validation {
    condition     = var.documentdb == null ? true : can(regex("^sg-[0-9a-f]+$", var.documentdb.security_group_id))
    error_message = "documentdb.security_group_id must be a security group's id, sg-…."
  }
}

variable "services" {
  description = "An existing Cloud Map namespace and the TCP ports of its services that the function calls, in all blocks of the VPC."
  type = object({
    namespace = string
    ports     = list(number)
  })
  default = null

  validation {
    condition = var.services == null ? true : alltrue([
      length(distinct(var.services.ports)) == length(var.services.ports),
      alltrue([for port in var.services.ports : port >= 1 && port <= 65535]),
    ])
    error_message = "services.ports must be TCP ports, 1 to 65535, each once."
  }
}

variable "egress" {
  description = <<-EOT
    What else the function may reach besides HTTPS, Redis, DocumentDB and the services: a name to a TCP port and the addresses
    behind it, such as { smtp = { port = 587 }, atlas = { port = 27017, cidr = "192.0.2.0/24" } }.
  EOT
  type = map(object({
    port = number
    cidr = optional(string, "0.0.0.0/0")
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for rule in var.egress : rule.port >= 1 && rule.port <= 65535 && can(cidrhost(rule.cidr, 0))])
    error_message = "egress must be TCP ports, 1 to 65535, and blocks of IPv4 addresses such as 10.0.0.0/16."
  }
  validation {
    condition = alltrue([
      for name in keys(var.egress) : can(regex("^[A-Za-z0-9._-]{1,64}$", name)) &&
      !can(regex("^(https|redis|documentdb|service-.*)$", name))
    ])
    error_message = <<-EOT
      egress names a rule https, redis, documentdb or service-…, which the module makes itself, or by other characters than letters,
      digits and ._-: choose another name.
    EOT
  }
  validation {
    condition = length(var.egress) + 1 == length(distinct(concat(
      ["443 0.0.0.0/0"], [for rule in var.egress : "${rule.port} ${rule.cidr}"]
    )))
    error_message = "egress has a port and its addresses twice, or 443 to everywhere, which is always open: AWS takes no rule twice."
  }
}
