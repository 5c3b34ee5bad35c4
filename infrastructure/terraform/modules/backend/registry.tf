# Lambda needs no policy to pull from a repository of its own account: it adds one by itself.
resource "aws_ecr_repository" "this" {
  #checkov:skip=CKV_AWS_51:the function names its image by digest, which no tag can move
  #checkov:skip=CKV_AWS_136:ECR encrypts with AES-256 by itself; the image holds no secret
  name         = var.name
  force_delete = true # another name, or other encryption, forces a new repository, and the images go with the old one
  image_scanning_configuration { scan_on_push = true }
}

# Known at plan; the repository's own attribute is not.
locals { repository = "${local.account}.dkr.ecr.${local.region}.${data.aws_partition.this.dns_suffix}/${var.name}" }
