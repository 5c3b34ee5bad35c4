variable "region" {
  description = "The environment's region."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be a region's code such as eu-west-1."
  }
}

variable "repository" {
  description = "OWNER/NAME of the repository whose workflows these are, as the subject of GitHub's tokens has it (module github)."
  type        = string
}

variable "github_environment" {
  description = "GitHub's environment of the job that deploys; its rules say who must agree."
  type        = string
  default     = "prod"
  nullable    = false
}

variable "name" {
  description = "The environment: project and environment_name with a hyphen between."
  type        = string
  default     = "librechat-prod"
  nullable    = false
}

variable "state_key" {
  description = "key of the environment's backend.tf."
  type        = string
  default     = "prod/terraform.tfstate"
  nullable    = false
}

variable "state_bucket" {
  description = "bucket of the environment's backend.tf, where that names one of your own; null is the one that sluice makes."
  type        = string
  default     = null
}

variable "state_kms_key" {
  description = "kms_key_id of the environment's backend.tf, as an ARN, where it has one (module deployer)."
  type        = string
  default     = null
}

variable "provider_arn" {
  description = "ARN of the account's OpenID Connect provider for GitHub, where it has one; null makes it (module github)."
  type        = string
  default     = null
}

variable "vpc_id" {
  description = "network.vpc_id of the environment; * is any (module deployer, as what follows)."
  type        = string
  default     = "*"
  nullable    = false
}

variable "zone_id" {
  description = "domain.zone_id of the environment; * is any."
  type        = string
  default     = "*"
  nullable    = false
}

variable "domain" {
  description = "domain.name of the environment; * is any of the zone."
  type        = string
  default     = "*"
  nullable    = false
}

variable "config_bucket" {
  description = "config.bucket of the environment; * is any."
  type        = string
  default     = "*"
  nullable    = false
}

variable "documentdb_security_group_id" {
  description = "documentdb.security_group_id of the environment, where it adds its rule; null opens none."
  type        = string
  default     = null
}
