variable "name" {
  description = "Prefix of the role's name, e.g. librechat-dev."
  type        = string
}
