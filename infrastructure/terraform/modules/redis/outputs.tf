# Host of the primary node; TLS on port 6379.
output "address" { value = module.redis.replication_group_primary_endpoint_address }

# Security group of the nodes.
output "security_group_id" { value = module.redis.security_group_id }

# Id of the replication group, which its metrics carry with -001 and so on.
output "replication_group_id" { value = module.redis.replication_group_id }
