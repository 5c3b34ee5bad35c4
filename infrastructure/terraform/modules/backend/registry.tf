# Lambda needs no policy to pull from a repository of its own account: it adds one by itself.
resource "aws_ecr_repository" "this" {
  #checkov:skip=CKV_AWS_51:the function names its image by digest, which no tag can move
  #checkov:skip=CKV_AWS_136:ECR encrypts with AES-256 by itself; the image holds no secret
  name         = var.name
  force_delete = true
  image_scanning_configuration { scan_on_push = true }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name
  policy = jsonencode({ rules = [{
    rulePriority = 1
    action       = { type = "expire" }
    selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = var.images_kept }
  }] })
}
