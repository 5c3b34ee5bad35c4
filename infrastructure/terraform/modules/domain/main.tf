# A custom domain for the distribution: the account's zone and certificate, looked
# up and checked before anything is made, and the records that point at it.
terraform { required_version = ">= 1.5.7" }

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

# CloudFront reads certificates in us-east-1, wherever the rest stands. ACM lists RSA up to 2048 alone unless it is asked for more,
# and by the main name alone. These are the key types that CloudFront takes.
data "aws_acm_certificate" "this" {
  region      = "us-east-1"
  domain      = coalesce(var.domain.certificate_domain, var.domain.name)
  key_types   = ["RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1"]
  most_recent = true
  lifecycle {
    postcondition {
      condition     = self.arn == var.domain.certificate_arn
      error_message = <<-EOT
        The newest issued certificate of ${self.domain} in us-east-1 is ${self.arn}: set domain.certificate_arn to it,
        or domain.certificate_domain to the main name of the certificate that you want.
      EOT
    }
  }
}

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
