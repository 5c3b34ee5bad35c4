variable "name" {
  description = "Name of the function, and prefix of what is its own, e.g. librechat-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,26}[a-z0-9]$", var.name))
    error_message = <<-EOT
      name must be 3 to 28 lower-case letters, digits and hyphens, a letter first and no hyphen last:
      with the account and the region it becomes a bucket's name, of at most 63.
    EOT
  }
}

variable "image_uri" {
  description = "The image by digest: REPOSITORY@sha256:…, as sluice_image and `sluice image` give it."
  type        = string

  validation {
    condition     = can(regex("^[^@ ]+@sha256:[0-9a-f]{64}$", var.image_uri))
    error_message = <<-EOT
      image_uri must name the image by digest, REPOSITORY@sha256: and 64 hex digits:
      a tag would let the function and its plan drift apart.
    EOT
  }
}

variable "urls" {
  description = <<-EOT
    Where people open the site, without a trailing slash: the one that the app calls its own (module frontend's output url), and
    others that lead to the same distribution. Pages of all of them may use the bucket of files.
  EOT
  type        = list(string)
}

variable "network" {
  description = "The private subnets and security groups that the function joins (module network's output function)."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
}

variable "secrets" {
  description = <<-EOT
    Secrets of the app: environment variable to the name or ARN of the SSM parameter (SecureString) that holds it.
    The bootstrap reads the values at a cold start; they are stored nowhere else.
  EOT
  type        = map(string)

  validation {
    condition = alltrue([
      for name in ["MONGO_URI", "JWT_SECRET", "JWT_REFRESH_SECRET", "CREDS_KEY", "CREDS_IV", "REDIS_URI", "SLUICE_ORIGIN_SECRET"] :
      contains(keys(var.secrets), name)
    ])
    error_message = <<-EOT
      secrets must name parameters for MONGO_URI, JWT_SECRET, JWT_REFRESH_SECRET, CREDS_KEY, CREDS_IV, REDIS_URI and
      SLUICE_ORIGIN_SECRET (environments/dev makes the last two): LibreChat does not start without them.
    EOT
  }
  validation {
    condition     = alltrue([for name in keys(var.secrets) : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name))])
    error_message = "The keys of secrets must be names of environment variables: letters, digits and underscores."
  }
  validation {
    condition = alltrue([for p in values(var.secrets) : (
      can(regex("^(arn:aws[a-z-]*:ssm:[a-z0-9-]+:[0-9]{12}:parameter)?(/[A-Za-z0-9_.-]+){1,15}$", p)) || can(regex("^[A-Za-z0-9_.-]+$", p))
    ) && !can(regex("^/?(aws|ssm)", lower(p)))])
    error_message = <<-EOT
      Each value of secrets must be an SSM parameter's name or ARN, such as /librechat/dev/jwt-secret: letters, digits
      and ._- between slashes, a slash first, at most 15 levels, not starting with aws or ssm.
      Put the secret itself there with `aws ssm put-parameter --type SecureString`.
    EOT
  }
}

variable "parameters_kms_key" {
  description = <<-EOT
    Id, ARN or alias of the KMS key that encrypts the parameters. Those under the account's own key alias/aws/ssm can be read
    whatever it is, so that a key of one's own may come later.
  EOT
  type        = string
  default     = "alias/aws/ssm"
  nullable    = false
}

variable "config" {
  description = <<-EOT
    librechat.yaml in S3, and what to replace in it at a cold start; __SITE_URL__ is always replaced by the site's URL. kms_key is
    the id, ARN or alias of the KMS key that encrypts the object, where that is not S3's own.
  EOT
  type = object({
    bucket  = string
    key     = optional(string, "librechat.yaml")
    replace = optional(map(string), {})
    kms_key = optional(string)
  })

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.config.bucket)) && can(regex("^[^/ *][^ *]*$", var.config.key))
    error_message = <<-EOT
      config.bucket must be a bucket's name (no s3://), and config.key an object's key without a leading slash,
      spaces or stars.
    EOT
  }
}

variable "environment_defaults" {
  description = <<-EOT
    What LibreChat and the bootstrap in front of it need on Lambda, whatever the release; internal/app/librechat says why,
    and a test keeps both equal. What one release needs besides comes with the image. environment overrides both.
  EOT
  type        = map(string)
  default = {
    NODE_ENV                = "production"
    HOST                    = "127.0.0.1"
    TRUST_PROXY             = "1"
    USE_REDIS               = "true"
    MONGO_MAX_POOL_SIZE     = "5"
    MONGO_AUTO_INDEX        = "false" # true in environment for the first boot on an empty database
    MONGO_AUTO_CREATE       = "false"
    S3_URL_EXPIRY_SECONDS   = "14400"
    DEBUG_LOGGING           = "false"
    LIBRECHAT_LOG_DIR       = "/tmp/librechat/logs"
    SEARCH                  = "false"
    NODE_PATH               = "/app/api/node_modules:/app/node_modules"
    SLUICE_FORWARDED_HOPS   = "1"                   # CloudFront, between the viewer and the gateway
    SLUICE_REACH            = "MONGO_URI,REDIS_URI" # without them LibreChat waits, longer than the init phase
    SLUICE_WRITABLE         = "/app/api/logs,/app/api/data,/app/uploads,/app/client/public/images,/tmp/librechat/logs"
    SLUICE_CREDENTIALS      = "endpoint"
    SLUICE_CONFIG_VARIABLE  = "CONFIG_PATH"
    SLUICE_UPLOAD_AUTHORIZE = "/api/user"
    SLUICE_CONFIG_EXPECT    = "fileStrategy=s3,fileStrategies" # or uploads vanish with their environment
  }
  nullable = false
}

variable "environment" {
  description = "Further environment of the app and the bootstrap (SLUICE_…), in clear. No secrets: those go to the variable secrets."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([
      for name in keys(var.environment) : !can(regex("(^|_)(SECRET|PASSWORD|TOKEN|KEY|IV|MONGO_URI|REDIS_URI)$", name))
    ])
    error_message = <<-EOT
      environment holds a name that ends like a secret's: store the value in an SSM parameter and give its name in secrets.
    EOT
  }
  validation {
    condition = alltrue([
      for name in keys(var.environment) :
      !startswith(name, "AWS_LAMBDA_") && !contains([
        "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_EXECUTION_ENV",
        "_HANDLER", "_X_AMZN_TRACE_ID", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
      ], name)
    ])
    error_message = <<-EOT
      environment holds a name that Lambda reserves (AWS_REGION, AWS_LAMBDA_… and the like): leave it out, the function has it.
    EOT
  }
  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^[A-Za-z][A-Za-z0-9_]+$", name))])
    error_message = "The keys of environment must be as Lambda takes them: a letter, then one or more letters, digits and underscores."
  }
}

variable "function" {
  description = <<-EOT
    Size of the function in MB and seconds, and how it starts: on-demand, provisioned (Lambda keeps provisioned_concurrency
    environments ready), or snapstart (Lambda restores environments from a snapshot of each published version; ephemeral_storage
    is 512 then). reserved_concurrency -1 takes from the account's pool. With alias, the API calls the alias of a published
    version in place of the function itself, so that all of a change is live at once; provisioned and snapstart do in any case.
    Whether AWS streams through an alias is not proven: try it before users depend on it.
  EOT
  type = object({
    architecture            = optional(string, "x86_64")
    memory_size             = optional(number, 2048)
    timeout                 = optional(number, 900)
    ephemeral_storage       = optional(number, 512)
    reserved_concurrency    = optional(number, -1)
    start                   = optional(string, "on-demand")
    provisioned_concurrency = optional(number, 1)
    alias                   = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["x86_64", "arm64"], var.function.architecture)
    error_message = "function.architecture must be x86_64 or arm64, as the image is."
  }
  validation {
    condition     = var.function.memory_size >= 1024 && var.function.memory_size <= 10240
    error_message = "function.memory_size must be 1024 to 10240 MB: LibreChat does not start well with less."
  }
  validation {
    condition     = var.function.timeout >= 30 && var.function.timeout <= 900
    error_message = "function.timeout must be 30 to 900 seconds, the longest that Lambda runs."
  }
  validation {
    condition     = var.function.ephemeral_storage >= 512 && var.function.ephemeral_storage <= 10240
    error_message = "function.ephemeral_storage must be 512 to 10240 MB of /tmp."
  }
  validation {
    condition     = contains(["on-demand", "provisioned", "snapstart"], var.function.start)
    error_message = "function.start must be on-demand, provisioned or snapstart."
  }
  validation {
    condition     = var.function.start != "snapstart" || var.function.ephemeral_storage == 512
    error_message = "function.ephemeral_storage must be 512 where function.start is snapstart: Lambda takes no snapshot of more /tmp."
  }
  validation {
    condition = var.function.start != "provisioned" || var.function.provisioned_concurrency >= 1 && (
      var.function.reserved_concurrency < 0 || var.function.reserved_concurrency >= var.function.provisioned_concurrency
    )
    error_message = "function.provisioned_concurrency must be at least 1, and no more than reserved_concurrency where that is set."
  }
  validation {
    condition     = var.function.reserved_concurrency != 0
    error_message = <<-EOT
      function.reserved_concurrency 0 would stop the function: give the most environments at a time,
      or -1 for no limit of its own.
    EOT
  }
}

variable "release" {
  description = <<-EOT
    An older release to go back to: a version's number, where the API calls the alias, or an image's digest sha256:… of the
    repository. Null is the newest.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.release == null ? true : can(regex("^([0-9]+|([^@ ]+@)?sha256:[0-9a-f]{64})$", var.release))
    error_message = "release must be a version's number such as 7, an image's digest (sha256: and 64 hex digits), or null for the newest."
  }
}

variable "canary" {
  description = "Percentage of the calls that the newest version gets, while release names the version that gets the rest (module alias)."
  type        = number
  default     = 0
  nullable    = false
}

variable "images_kept" {
  description = "How many images the registry keeps to roll back to, and how many versions the function, besides those in use."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.images_kept >= 2
    error_message = "images_kept must be 2 or more: the one that runs and the one before."
  }
}

variable "files_expire_days" {
  description = "Days after which uploads are removed; null keeps them."
  type        = number
  default     = null
}

variable "log_retention_days" {
  description = "Days that the function's log is kept."
  type        = number
  default     = 30
  nullable    = false
}
