# Sessions and streams between environments: one small Redis or several nodes in the private
# subnets, open to the function alone.
terraform { required_version = ">= 1.5.7" }

# Not the module's, which is created before the old one is destroyed: under one name that always fails. Nor may
# the module's subnet_group_name refer to it, which would spread that order to it. It keeps the subnets that have a node,
# and its VPC: to leave them, destroy Redis first.
resource "aws_elasticache_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.network.subnet_ids
}

module "redis" {
  #checkov:skip=CKV_TF_1:a registry module is named by its exact version; a commit hash would take it from git, past the registry
  source  = "terraform-aws-modules/elasticache/aws"
  version = "1.10.3"

  # Another name or subnet group or an older version forces a new group: sessions and snapshots go with the old one, of which no
  # last snapshot is made.
  replication_group_id       = var.name
  description                = "Sessions and streams of ${aws_elasticache_subnet_group.this.name}" # made after it
  engine_version             = var.engine_version
  node_type                  = var.redis.node_type
  num_cache_clusters         = var.redis.nodes
  cluster_mode_enabled       = false               # LibreChat deletes several keys at once, which fails across slots
  automatic_failover_enabled = var.redis.nodes > 1 # needs a second node
  multi_az_enabled           = var.redis.nodes > 1
  snapshot_retention_limit   = var.redis.snapshot_days # they go with the group when that is destroyed or replaced
  apply_immediately          = true                    # not in the next maintenance window, the default
  # TLS, which a token needs, and encryption at rest are the module's defaults.
  auth_token                 = var.auth_token
  auth_token_update_strategy = var.redis.password_update
  log_delivery_configuration = {} # or the module makes a log group that nobody asked for
  vpc_id                     = var.network.vpc_id
  create_subnet_group        = false
  subnet_group_name          = var.name
  security_group_rules = {
    function = { description = "Redis from the function", referenced_security_group_id = var.client_security_group_id }
  }
}
