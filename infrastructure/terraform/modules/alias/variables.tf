variable "function" {
  description = <<-EOT
    The function's name, its newest version, and whether it publishes versions: if not, the alias stands for the function itself.
  EOT
  type = object({
    name      = string
    version   = string
    published = bool
  })
}

variable "image_uri" {
  description = "The function's image by digest. A new one is the occasion to remove old ones."
  type        = string
}

variable "repository" {
  description = "Name of the ECR repository of the function's images."
  type        = string
}

variable "keep" {
  description = "How many versions, and how many images, are kept to roll back to."
  type        = number
}

variable "release" {
  description = "The version that the alias stands for. Null, and an image's digest, mean the newest."
  type        = string
  default     = null
}

variable "provisioned_concurrency" {
  description = "How many environments Lambda keeps initialized; null keeps none."
  type        = number
  default     = null

  validation {
    condition     = var.provisioned_concurrency == null ? true : var.provisioned_concurrency >= 1
    error_message = "provisioned_concurrency must be 1 or more, or null."
  }
}

variable "canary" {
  description = "Percentage of the calls that the newest version gets, while release names the one that gets the rest; 0 is none."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.canary >= 0 && var.canary < 100
    error_message = "canary must be a percentage from 0 to under 100: all calls go to the newest version without release and canary."
  }
}
