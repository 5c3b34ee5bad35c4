# The REST API in front of the function. paths.tf has for each path pattern a resource,
# ANY that streams from the function, and OPTIONS that the API answers by itself;
# stage.tf what makes them live: the deployment, the log, the stage, the permission.
terraform {
  required_version = ">= 1.5.7"
  required_providers { sluice = { source = "aproorg/sluice" } }
}

data "aws_region" "this" {}
data "aws_partition" "this" {}

# Edge-optimized APIs cut a silent stream after 30 s, regional ones after 5 min.
resource "aws_api_gateway_rest_api" "this" {
  #checkov:skip=CKV_AWS_237:a new API has a new host name, and the old one serves nothing once its stage is gone, whichever goes first
  name               = var.name
  binary_media_types = var.binary_media_types
  endpoint_configuration { types = ["REGIONAL"] }
}
