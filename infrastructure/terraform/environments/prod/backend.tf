# Production is environments/dev with other values (terraform.tfvars.json): main.tf, variables.tf and outputs.tf are dev's own. What
# it has beside them is its state in S3, where all who deploy share it, and its lock. `sluice deploy` and `sluice init` make the bucket,
# sluice-state-ACCOUNT-REGION, and name it to `tofu init`; another bucket, which is yours to make, can be named here.
terraform {
  required_version = ">= 1.10.0" # for use_lockfile, which needs no DynamoDB table
  backend "s3" {
    key          = "prod/terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}
