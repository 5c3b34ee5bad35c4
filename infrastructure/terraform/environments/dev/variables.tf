variable "region" {
  description = "Region of all but the distribution and its certificate."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be a region's code such as eu-west-1."
  }
  validation {
    condition     = !can(regex("^(cn|us-gov|us-iso[a-z]?|eu-isoe|eusc)-", var.region))
    error_message = <<-EOT
      region is one of a partition of AWS where this does not run: GovCloud, the isolated and the European sovereign regions have no
      CloudFront, and China's has neither AWS's managed policies nor its own name for a site. Choose a region such as eu-west-1.
    EOT
  }
}

variable "project" {
  description = "First part of every name."
  type        = string
  default     = "librechat"
  nullable    = false
}

variable "environment_name" {
  description = "Second part of every name: dev, test, prod. What is deployed cannot be renamed: another name is another environment."
  type        = string
  default     = "dev"
  nullable    = false
}

variable "tags" {
  description = "Tags of every resource, besides Project, Environment and ManagedBy."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "image" {
  description = <<-EOT
    The app's own image: REPOSITORY:TAG, REPOSITORY@DIGEST, oci:DIR or tar:FILE.
    With the bootstrap added it becomes the function's image; the site is taken out of it.
  EOT
  type        = string
  default     = "ghcr.io/danny-avila/librechat-api:v0.8.2-rc1"
  nullable    = false
}

variable "site" {
  description = "The built front end from elsewhere: a directory, image:REF, oci:DIR or tar:FILE. Null takes it out of image."
  type        = string
  default     = null
}

variable "ca_bundle" {
  description = <<-EOT
    File of certificates in PEM for /opt/sluice/ca.pem in the image, such as DocumentDB's (tlsCAFile in MONGO_URI): a path,
    relative to this folder. Null puts none there.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.ca_bundle == null ? true : fileexists(pathexpand(var.ca_bundle))
    error_message = <<-EOT
      ca_bundle names a file that is not there. Amazon's certificates, which DocumentDB needs, are at
      https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem: docs/quickstart.md has the command that brings them.
    EOT
  }
}

variable "compile_cache" {
  description = "Directory of Node's compiled code for the image: `sluice up --image REF --compile-cache DIR` fills it. Null puts in none."
  type        = string
  default     = null
}

variable "network" {
  description = <<-EOT
    The existing VPC, its private subnets in two zones or more, and further security groups that the function joins. What is deployed
    stays in its VPC; to move it, destroy and deploy again.
  EOT
  type = object({
    vpc_id             = string
    subnet_ids         = list(string)
    security_group_ids = optional(list(string), [])
  })
}

variable "domain" {
  description = "The custom domain with its existing hosted zone and certificate (us-east-1); null uses CloudFront's own name."
  type = object({
    name            = string
    zone_id         = optional(string)
    certificate_arn = optional(string)
  })
  default = null
}

variable "config" {
  description = <<-EOT
    librechat.yaml in an existing bucket, and what to replace in it; __SITE_URL__ is always replaced. kms_key is the key that
    encrypts it, where the bucket has one of its own.
  EOT
  type = object({
    bucket  = string
    key     = optional(string, "librechat.yaml")
    replace = optional(map(string), {})
    kms_key = optional(string)
  })
}

variable "secrets" {
  description = "Environment variables of the app to the existing SSM parameters (SecureString) that hold them."
  type        = map(string)
}

variable "documentdb" {
  description = <<-EOT
    The existing DocumentDB cluster's security group and port; its address is part of the secret MONGO_URI. add_rule = false
    leaves the rule that lets the function in to the group's owner (module network).
  EOT
  type = object({
    security_group_id = string
    port              = optional(number, 27017)
    add_rule          = optional(bool, true)
  })
  default = null
}

variable "services" {
  description = "The existing Cloud Map namespace and the ports of its services that the function calls."
  type = object({
    namespace = string
    ports     = list(number)
  })
  default = null
}

variable "egress" {
  description = "What else the function may reach, such as { smtp = { port = 587 } } (module network); HTTPS is always open."
  type = map(object({
    port = number
    cidr = optional(string, "0.0.0.0/0")
  }))
  default  = {}
  nullable = false
}

variable "environment" {
  description = "Further environment of the app and the bootstrap, in clear."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "api_paths" {
  description = "What goes to the function; all else is the site."
  type        = list(string)
  default     = ["/api/*", "/oauth/*", "/images/*", "/health", "/_sluice/*"]
  nullable    = false
}

variable "refused_paths" {
  description = "What is neither the site's nor the function's, and gets 404 at the edge."
  type        = list(string)
  default     = ["/livez", "/metrics", "/readyz"]
  nullable    = false
}

variable "function" {
  description = "Size of the function and how it starts (module backend)."
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
}

variable "release" {
  description = "An older release to go back to: a version's number, or an image's digest sha256:…; null is the newest."
  type        = string
  default     = null
}

variable "canary" {
  description = <<-EOT
    Percentage of the calls that the newest version gets, while release names the version that gets the rest; 0 gives all calls to
    one version. It needs function.alias (`sluice deploy --canary 10` sets both, docs/production.md).
  EOT
  type        = number
  default     = 0
  nullable    = false
}

variable "redis" {
  description = <<-EOT
    Size of Redis: one small node, or two for failover, and for how many days daily snapshots are kept. password_update is ROTATE or
    SET: how a new password takes the place of the old one (docs/runbook.md).
  EOT
  type = object({
    node_type       = optional(string, "cache.t4g.micro")
    nodes           = optional(number, 1)
    snapshot_days   = optional(number, 0)
    password_update = optional(string, "ROTATE")
  })
  default  = {}
  nullable = false
}

variable "log_role" {
  description = <<-EOT
    Whether API Gateway has a role for logs in this region: null looks for that of environments/account, true says that another
    stack has set one, false writes no access log.
  EOT
  type        = bool
  default     = null
}

variable "api_key_required" {
  description = <<-EOT
    Refuse requests that do not come through the distribution before the function is invoked, by an API key. False for an app
    whose own clients send x-api-key (module api-gateway).
  EOT
  type        = bool
  default     = true
  nullable    = false
}

variable "throttling" {
  description = "The most requests a second that the API takes, and in a burst (module api-gateway); null leaves the account's limits."
  type = object({
    rate_limit  = number
    burst_limit = number
  })
  default = null
}

variable "web_acl_id" {
  description = "ARN of a web ACL of AWS WAF (scope CLOUDFRONT, us-east-1) for the distribution; null for none."
  type        = string
  default     = null
}

variable "parameters_kms_key" {
  description = <<-EOT
    Id, ARN or alias of the KMS key that encrypts the parameters: those of secrets, and those that this environment makes.
    Parameters under the account's own key alias/aws/ssm can be read with any value.
  EOT
  type        = string
  default     = "alias/aws/ssm"
  nullable    = false
}

variable "monitoring" {
  description = "Alarms and a dashboard; null makes none. alarm_actions are ARNs such as an SNS topic's."
  type = object({
    alarm_actions = optional(list(string), [])
  })
  default = null
}
