variable "name" {
  description = "Prefix of every name, e.g. librechat-dev."
  type        = string
}

variable "function_name" {
  description = "The function (module backend)."
  type        = string
}

variable "api" {
  description = "The REST API's name, stage and access log group (module api-gateway)."
  type        = object({ name = string, stage = string, log_group = string })
}

variable "distribution_id" {
  description = "The distribution (module frontend)."
  type        = string
}

variable "replication_group_id" {
  description = "The Redis replication group (module redis)."
  type        = string
}

variable "redis_nodes" {
  description = "How many nodes it has; each has its alarms."
  type        = number
  default     = 1
  nullable    = false
}

variable "redis_connections" {
  description = "How many Redis connections are planned for: environments at work times three."
  type        = number
  default     = 3000
  nullable    = false
}

variable "alarm_actions" {
  description = "ARNs to tell, such as an SNS topic's."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.alarm_actions : startswith(arn, "arn:")])
    error_message = "alarm_actions must be ARNs, such as that of an SNS topic."
  }
}
