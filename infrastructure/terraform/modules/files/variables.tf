variable "bucket" {
  description = "Name of the bucket, unique in all of AWS."
  type        = string
}

variable "url" {
  description = "Where people open the site, without a trailing slash: its pages may read and write."
  type        = string
}

variable "expire_days" {
  description = "Days after which uploads are removed; null keeps them."
  type        = number
  default     = null
}
