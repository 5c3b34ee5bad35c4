# What an account has before a stack comes: made in an emulated account for the
# tests, and given to environments/dev by the output tfvars.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "6.34.0" }
  }
}

provider "aws" { region = var.region }

variable "region" {
  type    = string
  default = "eu-west-1"
}

variable "config_bucket" {
  type    = string
  default = "apro-librechat-config"
}

variable "domain" {
  type    = string
  default = "lambda-test.sandbox.data.apro.is"
}

variable "certificate" { type = object({ key = string, body = string }) }

variable "shared" { type = object({ key = string, body = string }) }

resource "aws_vpc" "this" { cidr_block = "10.0.0.0/16" }

resource "aws_vpc_ipv4_cidr_block_association" "second" {
  vpc_id     = aws_vpc.this.id
  cidr_block = "10.2.0.0/16"
}

resource "aws_vpc" "other" { cidr_block = "10.1.0.0/16" }

resource "aws_subnet" "private" {
  for_each          = { a = "10.0.1.0/24", b = "10.0.2.0/24" }
  vpc_id            = aws_vpc.this.id
  availability_zone = "${var.region}${each.key}"
  cidr_block        = each.value
}

resource "aws_subnet" "same_zone" {
  vpc_id            = aws_vpc.this.id
  availability_zone = "${var.region}a"
  cidr_block        = "10.0.3.0/24"
}

resource "aws_subnet" "public" {
  vpc_id                  = aws_vpc.this.id
  availability_zone       = "${var.region}b"
  cidr_block              = "10.0.4.0/24"
  map_public_ip_on_launch = true
}

resource "aws_subnet" "other_vpc" {
  vpc_id            = aws_vpc.other.id
  availability_zone = "${var.region}b"
  cidr_block        = "10.1.1.0/24"
}

resource "aws_subnet" "other_vpc_second" {
  vpc_id            = aws_vpc.other.id
  availability_zone = "${var.region}a"
  cidr_block        = "10.1.2.0/24"
}

resource "aws_security_group" "documentdb" {
  name   = "documentdb"
  vpc_id = aws_vpc.this.id
}

resource "aws_security_group" "shared" {
  name   = "shared"
  vpc_id = aws_vpc.this.id
}

resource "aws_route53_zone" "this" { name = join(".", slice(split(".", var.domain), 1, length(split(".", var.domain)))) }

resource "aws_route53_zone" "other" { name = "example.org" }

resource "aws_acm_certificate" "this" {
  region           = "us-east-1"
  private_key      = var.certificate.key
  certificate_body = var.certificate.body
}

# One of another site, with this one's name beside its own.
resource "aws_acm_certificate" "shared" {
  region           = "us-east-1"
  private_key      = var.shared.key
  certificate_body = var.shared.body
}

resource "aws_service_discovery_private_dns_namespace" "this" {
  name = "services.sandbox.internal"
  vpc  = aws_vpc.this.id
}

resource "aws_s3_bucket" "config" { bucket = var.config_bucket }

resource "aws_s3_object" "config" {
  bucket  = aws_s3_bucket.config.id
  key     = "dev/librechat.yaml"
  content = "version: 1.2.1\n"
}

resource "aws_kms_key" "own" {}

resource "aws_kms_alias" "own" {
  name          = "alias/own"
  target_key_id = aws_kms_key.own.id
}

# What environments/account makes once a region.
resource "aws_iam_role" "log" {
  name               = "sluice-api-log-${var.region}"
  path               = "/sluice/api-log/${var.region}/"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [] })
}

output "tfvars" {
  value = {
    network = {
      vpc_id             = aws_vpc.this.id
      subnet_ids         = [for s in aws_subnet.private : s.id]
      security_group_ids = [aws_security_group.shared.id]
    }
    documentdb = { security_group_id = aws_security_group.documentdb.id }
    services   = { namespace = aws_service_discovery_private_dns_namespace.this.name, ports = [8000] }
    config     = { bucket = aws_s3_bucket.config.id, key = aws_s3_object.config.key }
    domain = {
      name            = var.domain
      zone_id         = aws_route53_zone.this.zone_id
      certificate_arn = aws_acm_certificate.this.arn
    }
  }
}

output "options" {
  value = {
    kms_key            = aws_kms_key.own.arn
    kms_alias          = aws_kms_alias.own.name
    shared_certificate = aws_acm_certificate.shared.arn
  }
}

output "wrong" {
  value = {
    first_zone = aws_subnet.private["a"].id
    same_zone  = aws_subnet.same_zone.id
    public     = aws_subnet.public.id
    other_vpc  = aws_subnet.other_vpc.id
    moved      = jsonencode({ vpc_id = aws_vpc.other.id, subnet_ids = [aws_subnet.other_vpc.id, aws_subnet.other_vpc_second.id] })
    other_zone = aws_route53_zone.other.zone_id
  }
}
