variable "name" {
  description = "Prefix of every name, unique in the account, e.g. librechat-dev."
  type        = string
}

variable "paths" {
  description = "What goes to the function, in CloudFront's patterns: /api/* for a tree, /health for one path. One segment deep."
  type        = list(string)
  default     = ["/api/*", "/oauth/*", "/images/*", "/health", "/_sluice/*"]
  nullable    = false

  validation {
    condition     = length(var.paths) > 0 && alltrue([for path in var.paths : can(regex("^/[A-Za-z0-9._-]+(/\\*)?$", path))])
    error_message = "paths must be like /api/* or /health: a slash, one segment without wildcards, and /* at the end for all below it."
  }
  validation {
    condition     = length(var.paths) == length(distinct([for path in var.paths : trimsuffix(path, "/*")]))
    error_message = "paths names a segment twice: API Gateway has one resource for each, so keep either /x or /x/*."
  }
}

variable "function" {
  description = <<-EOT
    The function behind the API: its name, its alias, and the URI of the streaming invocations of one of both
    (module backend's output function).
  EOT
  type = object({
    name       = string
    alias      = string
    invoke_uri = string
  })

  validation {
    condition     = endswith(var.function.invoke_uri, "/response-streaming-invocations")
    error_message = <<-EOT
      function.invoke_uri must be the streaming one:
      arn:…:lambda:path/2021-11-15/functions/ARN/response-streaming-invocations.
    EOT
  }
}

variable "stage" {
  description = "Name of the one stage; the distribution hides it behind its origin path."
  type        = string
  default     = "live"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,128}$", var.stage))
    error_message = "stage must be letters, digits, hyphens and underscores."
  }
}

variable "binary_media_types" {
  description = <<-EOT
    Content types of request bodies that reach the function as base64 instead of damaged, whole: the API knows no image/*.
    Not */*: then every request would grow by a third towards Lambda's 6 MB.
  EOT
  type        = list(string)
  default = [
    "multipart/form-data", "application/octet-stream", "application/pdf", "application/zip", "application/x-zip-compressed",
    "application/gzip",
    "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/heic", "image/bmp", "image/tiff", "image/x-icon",
    "audio/mpeg", "audio/mp4", "audio/x-m4a", "audio/aac", "audio/wav", "audio/x-wav", "audio/webm", "audio/ogg", "audio/flac",
    "video/mp4", "video/webm", "video/ogg", "video/quicktime",
  ]
  nullable = false
}

variable "log_retention_days" {
  description = "Days that the access log is kept."
  type        = number
  default     = 30
  nullable    = false
}

variable "log_role" {
  description = <<-EOT
    Whether API Gateway has a role for logs in this region, without which no stage may write one. Null looks for the role of
    module account, and warns where it is missing; true says that another stack has set one; false writes no access log.
  EOT
  type        = bool
  default     = null
}

variable "api_key_required" {
  description = <<-EOT
    Refuse requests without the key that the distribution sends, before the function is invoked. False for an app whose own
    clients send x-api-key; the bootstrap then refuses strangers, in an environment that has started for them.
  EOT
  type        = bool
  default     = true
  nullable    = false
}

variable "origin_secret" {
  description = "What module frontend gets as origin_secret: the key is made of it."
  type        = string
  sensitive   = true
}

variable "throttling" {
  description = "The most requests a second that the stage takes, and in a burst, of all viewers together; null is the account's."
  type = object({
    rate_limit  = number
    burst_limit = number
  })
  default = null

  validation {
    condition     = var.throttling == null ? true : var.throttling.rate_limit > 0 && var.throttling.burst_limit > 0
    error_message = "throttling.rate_limit and burst_limit must be above 0: with 0 the stage would refuse every request."
  }
}

variable "access_log" {
  description = "Fields of a line of the access log, names of $context: among them when a stream's headers and its first content came."
  type        = list(string)
  default = [
    "requestId", "requestTime", "httpMethod", "path", "status", "responseLength", "responseLatency",
    "integration.requestId", "integration.status", "integration.error", "integration.latency",
    "integration.responseTransferMode", "integration.timeToAllHeaders", "integration.timeToFirstContent",
  ]
  nullable = false
}
