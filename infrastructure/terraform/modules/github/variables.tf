variable "name" {
  description = "Prefix of the roles' names, e.g. librechat-prod-github."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,50}$", var.name))
    error_message = "name must be 1 to 50 of the characters that IAM takes: letters, digits and +=,.@_-."
  }
}

variable "repository" {
  description = <<-EOT
    OWNER/NAME, as the subject of GitHub's tokens has it after "repo:". In repositories made, renamed or transferred since June 18, 2026, or
    that have opted in, owner and name carry numbers: the repository's settings, Actions, OIDC, show the subject.
  EOT
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.@-]+/[A-Za-z0-9_.@-]+$", var.repository))
    error_message = "repository must be OWNER/NAME, without \"repo:\" and without *, which would let in repositories of strangers."
  }
}

variable "roles" {
  description = <<-EOT
    For each role who may assume it, as the end of the subject of GitHub's tokens (pull_request, ref:refs/heads/main,
    environment:prod), and its policies by names of your own. A job that names an environment has that as its subject, whatever its branch.
  EOT
  type = map(object({
    subjects    = list(string)
    policy_arns = map(string)
  }))

  validation {
    condition = alltrue([for r in var.roles : alltrue([
      for s in r.subjects : can(regex("^(pull_request|ref:refs/(heads|tags)/.+|environment:.+)$", s))
    ])])
    error_message = "subjects must be pull_request, ref:refs/heads/BRANCH, ref:refs/tags/TAG or environment:NAME."
  }
  validation {
    condition     = alltrue([for r in var.roles : length(r.subjects) > 0 && alltrue([for s in r.subjects : !can(regex("[*?]", s))])])
    error_message = "subjects must be one or more, each written out: * would let in branches that nobody has named, and none everybody."
  }
  validation {
    condition     = alltrue([for r in var.roles : length(r.policy_arns) <= 10])
    error_message = "A role takes 10 policies, the quota of an account that has not asked for more."
  }
}

variable "provider_arn" {
  description = "ARN of the account's OpenID Connect provider for token.actions.githubusercontent.com, where it has one; null makes it."
  type        = string
  default     = null

  validation {
    condition = var.provider_arn == null ? true : can(
      regex("^arn:[^:]+:iam::[0-9]{12}:oidc-provider/token\\.actions\\.githubusercontent\\.com$", var.provider_arn)
    )
    error_message = <<-EOT
      provider_arn must be arn:aws:iam::ACCOUNT:oidc-provider/token.actions.githubusercontent.com, as
      `aws iam list-open-id-connect-providers` shows it.
    EOT
  }
}
