# What the function joins (module backend's input network), once what it may reach is
# open: a function that starts before fails its first calls.
output "function" {
  value = { subnet_ids = var.network.subnet_ids, security_group_ids = concat([aws_security_group.this.id], var.network.security_group_ids) }
  precondition {
    condition     = length(distinct([for s in data.aws_subnet.this : s.availability_zone])) > 1
    error_message = "All of network.subnet_ids are in one availability zone: add a private subnet of a second zone to survive an outage."
  }
  depends_on = [aws_vpc_security_group_egress_rule.this]
}

# The function's security group, for rules of what lets it in.
output "security_group_id" { value = aws_security_group.this.id }
