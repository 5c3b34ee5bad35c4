# What all environments of an account and region share. Apply it once a region, before
# the first environment; destroy it after the last.
terraform {
  required_version = ">= 1.5.7"
  required_providers {
    aws = { source = "hashicorp/aws", version = "6.34.0" }
  }
}

provider "aws" {
  region = var.region
  default_tags { tags = { Project = "sluice", ManagedBy = "terraform" } }
}

module "account" { source = "../../modules/account" }
