data "aws_vpc" "this" { id = var.network.vpc_id }

data "aws_subnet" "this" {
  for_each = toset(var.network.subnet_ids)
  id       = each.key
  lifecycle {
    postcondition {
      condition     = self.vpc_id == var.network.vpc_id && !self.map_public_ip_on_launch
      error_message = <<-EOT
        Subnet ${self.id} is ${self.map_public_ip_on_launch ? "public" : "private"} and in ${self.vpc_id}: network.subnet_ids must be
        private subnets (a function in a public one has no way out) of network.vpc_id ${var.network.vpc_id}.
      EOT
    }
  }
}

data "aws_service_discovery_dns_namespace" "this" {
  count = var.services == null ? 0 : 1
  name  = var.services.namespace
  type  = "DNS_PRIVATE"
}

# Rules are resources of their own, made after both groups and gone before either:
# inline rules of two groups that name each other could not be destroyed.
resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:the function joins it
  name        = var.name
  description = "The function ${var.name}"
  vpc_id      = data.aws_vpc.this.id
  timeouts { delete = "60m" } # Lambda keeps its network interfaces for up to 40 minutes
}

resource "aws_vpc_security_group_egress_rule" "this" {
  for_each = merge(
    { https = { port = 443, cidr = "0.0.0.0/0", group = null } },
    { redis = { port = 6379, cidr = null, group = var.redis_security_group_id } },
    { for d in var.documentdb[*] : "documentdb" => { port = d.port, cidr = null, group = d.security_group_id } },
    { for port in try(var.services.ports, []) : "service-${port}" => { port = port, cidr = data.aws_vpc.this.cidr_block, group = null } },
  )
  security_group_id            = aws_security_group.this.id
  description                  = "${var.name} to ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  cidr_ipv4                    = each.value.cidr
  referenced_security_group_id = each.value.group
}

resource "aws_vpc_security_group_ingress_rule" "documentdb" {
  count                        = var.documentdb == null ? 0 : 1
  security_group_id            = var.documentdb.security_group_id
  description                  = "DocumentDB from ${var.name}"
  ip_protocol                  = "tcp"
  from_port                    = var.documentdb.port
  to_port                      = var.documentdb.port
  referenced_security_group_id = aws_security_group.this.id
}
