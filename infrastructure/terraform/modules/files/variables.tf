variable "bucket" {
  description = "Name of the bucket, unique in all of AWS."
  type        = string
}

variable "urls" {
  description = "Where people open the site, without a trailing slash: its pages may read and write. No name is a pattern."
  type        = list(string)

  validation {
    condition     = alltrue([for url in var.urls : !strcontains(url, "*")])
    error_message = "urls must be whole names, such as https://chat.example.com: a * would open the bucket to other sites."
  }
}

variable "expire_days" {
  description = "Days after which uploads are removed; null keeps them."
  type        = number
  default     = null
}
