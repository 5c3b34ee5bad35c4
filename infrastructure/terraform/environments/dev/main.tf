# The whole system, from what the account already has (terraform.tfvars.json) to a
# URL: browser, distribution, REST API, function, stores.
terraform {
  required_version = ">= 1.5.7"
  required_providers {
    aws    = { source = "hashicorp/aws", version = "6.34.0" }
    random = { source = "hashicorp/random", version = "~> 3.7" } # the elasticache module needs it
    sluice = { source = "aproorg/sluice", version = "0.1.0" }    # installed by `sluice init`
  }
}

provider "aws" {
  region = var.region
  default_tags { tags = merge({ Project = var.project, Environment = var.environment_name, ManagedBy = "terraform" }, var.tags) }
}

provider "sluice" { region = var.region }

# Nearly every name begins with it, and AWS renames little: another name, or region, would replace all that holds data. AWS
# refuses it half-way, since CloudFront's function is in use; sluice refuses the plan.
locals { name = "${var.project}-${var.environment_name}" }

# The header by which the API knows the distribution, and Redis's password. No plan,
# log or id shows triggers_replace, as they do other attributes of a terraform_data;
# uuid() is unknown until apply, and ignore_changes keeps it from then on. Both secrets
# are in the state: encrypt it. Change one with `tofu apply -replace='terraform_data.secret["origin"]'`.
resource "terraform_data" "secret" {
  for_each         = toset(["origin", "redis"])
  triggers_replace = sensitive("${uuid()}${uuid()}")
  lifecycle { ignore_changes = [triggers_replace] }
}

resource "aws_ssm_parameter" "secret" {
  #checkov:skip=CKV_AWS_337:parameters_kms_key names a key of one's own, for a dollar a month; by default the account's aws/ssm does it
  for_each = {
    SLUICE_ORIGIN_SECRET = terraform_data.secret["origin"].triggers_replace
    REDIS_URI            = "rediss://:${terraform_data.secret["redis"].triggers_replace}@${module.redis.address}:6379"
  }
  name   = "/${local.name}/${each.key}" # one that is there already fails the apply: Terraform takes nothing over
  type   = "SecureString"
  key_id = var.parameters_kms_key
  value  = each.value
}

module "frontend" {
  source        = "../../modules/frontend"
  name          = local.name
  api           = module.api_gateway.origin
  origin_secret = terraform_data.secret["origin"].triggers_replace
  web_acl_id    = var.web_acl_id
  refused_paths = var.refused_paths
  domain        = var.domain == null ? null : module.domain[0].alias # not [*]: that would wait for the records, a cycle
}

module "domain" {
  source       = "../../modules/domain"
  count        = var.domain == null ? 0 : 1
  domain       = var.domain
  distribution = { domain_name = module.frontend.domain_name, zone_id = module.frontend.zone_id }
}

module "api_gateway" {
  source           = "../../modules/api-gateway"
  name             = local.name
  paths            = var.api_paths
  function         = module.backend.function
  log_role         = var.log_role
  origin_secret    = terraform_data.secret["origin"].triggers_replace
  api_key_required = var.api_key_required
  throttling       = var.throttling
}

module "network" {
  source                  = "../../modules/network"
  name                    = local.name
  network                 = var.network
  role                    = module.backend.role
  redis_security_group_id = module.redis.security_group_id
  documentdb              = var.documentdb
  services                = var.services
  egress                  = var.egress
}

module "backend" {
  source             = "../../modules/backend"
  name               = local.name
  image_uri          = sluice_image.app.uri
  urls               = [module.frontend.url, "https://${module.frontend.domain_name}"]
  network            = module.network.function
  config             = var.config
  parameters_kms_key = var.parameters_kms_key
  environment        = var.environment
  function           = var.function
  release            = var.release
  canary             = var.canary
  # A `tofu import` sees only what is in the state: the dashes stand for a parameter that is not there yet.
  secrets = merge({ REDIS_URI = "-", SLUICE_ORIGIN_SECRET = "-" }, var.secrets, { for k, p in aws_ssm_parameter.secret : k => p.name })
}

# The app's image with the bootstrap in front, and the front end out of the same
# image. Both know at plan what they will make, and do nothing where it exists already.
resource "sluice_image" "app" {
  base          = var.image
  repository    = module.backend.repository_url
  architecture  = var.function.architecture
  compile_cache = var.compile_cache == null ? null : pathexpand(var.compile_cache)
  ca_bundle     = var.ca_bundle == null ? null : sensitive(file(pathexpand(var.ca_bundle))) # no secret: 3,000 lines for a plan
}

resource "sluice_site" "app" {
  source          = coalesce(var.site, "image:${var.image}")
  bucket          = module.frontend.bucket
  distribution_id = module.frontend.distribution_id
  uploads         = true # the other half is the backend's SLUICE_UPLOADS_S3
}

module "redis" {
  source                   = "../../modules/redis"
  name                     = local.name
  auth_token               = terraform_data.secret["redis"].triggers_replace
  network                  = var.network
  client_security_group_id = module.network.security_group_id
  redis                    = var.redis
}

module "monitoring" {
  source               = "../../modules/monitoring"
  count                = var.monitoring == null ? 0 : 1
  name                 = local.name
  function_name        = module.backend.function.name
  api                  = module.api_gateway.live
  distribution_id      = module.frontend.distribution_id
  replication_group_id = module.redis.replication_group_id
  redis_nodes          = var.redis.nodes
  alarm_actions        = var.monitoring.alarm_actions
}
