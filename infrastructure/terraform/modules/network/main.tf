# The network that the function joins: the account's VPC and private subnets, looked
# up and checked, the right to join it, the function's security group, and what it may reach.
terraform { required_version = ">= 1.5.7" }

locals {
  group_ids = toset(compact(concat(var.network.security_group_ids, var.documentdb[*].security_group_id)))
  join_actions = [
    "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
  ]
}

# Lists first: a lookup of one that does not exist fails without saying what to change.
data "aws_vpcs" "this" {
  filter {
    name   = "vpc-id"
    values = [var.network.vpc_id]
  }
}

data "aws_subnets" "this" {
  filter {
    name   = "subnet-id"
    values = var.network.subnet_ids
  }
}

data "aws_security_groups" "this" {
  count = length(local.group_ids) > 0 ? 1 : 0
  filter {
    name   = "group-id"
    values = local.group_ids
  }
}

locals {
  missing_groups     = setsubtract(local.group_ids, flatten(data.aws_security_groups.this[*].ids))
  missing_documentdb = setintersection(local.missing_groups, compact(var.documentdb[*].security_group_id))
}

data "aws_vpc" "this" {
  id = var.network.vpc_id
  lifecycle {
    precondition {
      condition     = contains(data.aws_vpcs.this.ids, var.network.vpc_id)
      error_message = <<-EOT
        This account has no VPC ${var.network.vpc_id} in this region: set network.vpc_id to one that `aws ec2 describe-vpcs` shows.
      EOT
    }
  }
}

data "aws_subnet" "this" {
  for_each = toset(var.network.subnet_ids)
  id       = each.key
  lifecycle {
    precondition {
      condition     = contains(data.aws_subnets.this.ids, each.key)
      error_message = <<-EOT
        This account has no subnet ${each.key} in this region: set network.subnet_ids to those that `aws ec2 describe-subnets` shows.
      EOT
    }
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

# Lambda joins the VPC by this right and leaves it by the same, up to 40 minutes after the function is gone: the
# security group waits for that, and is destroyed before the right is. The function's own code is denied it.
resource "aws_iam_role_policy" "join" {
  #checkov:skip=CKV_AWS_290:Lambda asks EC2 for network interfaces by the role; EC2 knows no narrower resource for it
  #checkov:skip=CKV_AWS_355:the one star is Resource of the network interfaces, and the function's own code is denied it
  name = "join"
  role = var.role.name
  policy = jsonencode({ Version = "2012-10-17", Statement = [
    { Sid = "Join", Effect = "Allow", Action = local.join_actions, Resource = "*" },
    { Sid = "JoinNotByCode", Effect = "Deny", Action = local.join_actions, Resource = "*",
    Condition = { ArnEquals = { "lambda:SourceFunctionArn" = var.role.function_arn } } },
  ] })
}

# Rules are resources of their own, made after both groups and gone before either:
# inline rules of two groups that name each other could not be destroyed. Another VPC never works: the new group waits for the
# end of the old one, and that for the function to leave it, which waits for the new group.
resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:the function joins it
  name        = var.name
  description = "The function ${var.name}" # AWS changes no description, name or VPC: each forces a new group
  vpc_id      = data.aws_vpc.this.id
  depends_on  = [aws_iam_role_policy.join]
  # Lambda keeps its network interfaces for up to 40 minutes, and removes them by the role. Not the function's
  # replace_security_groups_on_destroy: the group would go at once, and the role before the interfaces, which then stay.
  timeouts { delete = "60m" }
  lifecycle {
    precondition {
      condition     = length(local.missing_groups) == 0
      error_message = <<-EOT
        This account has no security group ${join(", ", local.missing_groups)} in this region: set
        ${length(local.missing_documentdb) > 0 ? "documentdb.security_group_id" : "network.security_group_ids"} to what
        `aws ec2 describe-security-groups` shows.
      EOT
    }
  }
}

locals {
  service_rules = flatten([for port in try(var.services.ports, []) : [
    for i, block in data.aws_vpc.this.cidr_block_associations : { # the primary block, then the secondary ones
      name = i == 0 ? "service-${port}" : "service-${port}-${i + 1}", port = port, cidr = block.cidr_block
    }
  ]])
  rules = merge(
    { https = { port = 443, cidr = "0.0.0.0/0", group = null } },
    { redis = { port = 6379, cidr = null, group = var.redis_security_group_id } },
    { for d in var.documentdb[*] : "documentdb" => { port = d.port, cidr = null, group = d.security_group_id } },
    { for rule in local.service_rules : rule.name => { port = rule.port, cidr = rule.cidr, group = null } },
    { for name, rule in var.egress : name => { port = rule.port, cidr = rule.cidr, group = null } },
  )
}

resource "aws_vpc_security_group_egress_rule" "this" {
  for_each                     = local.rules
  security_group_id            = aws_security_group.this.id
  description                  = "${var.name} to ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  cidr_ipv4                    = each.value.cidr
  referenced_security_group_id = each.value.group
}

resource "aws_vpc_security_group_ingress_rule" "documentdb" {
  count                        = try(var.documentdb.add_rule, false) ? 1 : 0
  security_group_id            = var.documentdb.security_group_id
  description                  = "DocumentDB from ${var.name}"
  ip_protocol                  = "tcp"
  from_port                    = var.documentdb.port
  to_port                      = var.documentdb.port
  referenced_security_group_id = aws_security_group.this.id
}
