variable "name" {
  description = "Name of the key and of the plan, e.g. librechat-dev."
  type        = string
}

variable "api" {
  description = "The REST API's id, and its stage once that is live."
  type        = object({ id = string, stage = string })
}

variable "key" {
  description = "The key, 20 to 128 letters and digits, which the distribution sends as x-api-key."
  type        = string
  sensitive   = true
}
