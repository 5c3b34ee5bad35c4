variable "function" {
  description = "The function's name and the published version that the alias stands for."
  type = object({
    name    = string
    version = string
  })
}

variable "provisioned_concurrency" {
  description = "How many environments Lambda keeps initialized; null keeps none, as SnapStart wants it."
  type        = number
  default     = null

  validation {
    condition     = var.provisioned_concurrency == null ? true : var.provisioned_concurrency >= 1
    error_message = "provisioned_concurrency must be 1 or more, or null."
  }
}
