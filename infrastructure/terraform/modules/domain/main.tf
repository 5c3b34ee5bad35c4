# A custom domain for the distribution: the account's zone and certificate, looked
# up and checked before anything is made, and the records that point at it.
terraform {
  required_version = ">= 1.5.7"
  required_providers { sluice = { source = "aproorg/sluice" } }
}

# All zones are listed first: a data source of an unknown zone fails without saying what to change.
data "aws_route53_zones" "all" {}

data "aws_route53_zone" "this" {
  zone_id = var.domain.zone_id
  lifecycle {
    precondition {
      condition     = contains(data.aws_route53_zones.all.ids, var.domain.zone_id)
      error_message = <<-EOT
        This account has no hosted zone ${var.domain.zone_id}: set domain.zone_id to one that
        `aws route53 list-hosted-zones` shows.
      EOT
    }
    postcondition {
      condition     = !self.private_zone && (var.domain.name == self.name || endswith(var.domain.name, ".${self.name}"))
      error_message = <<-EOT
        ${var.domain.name} is not a name of the public hosted zone ${var.domain.zone_id} (${self.name}):
        set domain.zone_id to the zone that holds it, or change domain.name.
      EOT
    }
  }
}

# Found by the name, or checked where its ARN is given: it must be one that CloudFront takes, and be for the name.
data "sluice_certificate" "this" {
  domain = var.domain.name
  arn    = var.domain.certificate_arn
}

# A record that is there already fails the apply, since it may be another site's: delete it, or import it.
resource "aws_route53_record" "this" {
  for_each = toset(["A", "AAAA"])
  zone_id  = data.aws_route53_zone.this.zone_id
  name     = var.domain.name
  type     = each.key
  alias {
    name                   = var.distribution.domain_name
    zone_id                = var.distribution.zone_id
    evaluate_target_health = false
  }
}
