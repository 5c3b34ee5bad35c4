# Name of the bucket, once it is there.
output "bucket" { value = module.bucket.s3_bucket_id }

# What the function's environment says of it.
output "environment" { value = { AWS_BUCKET_NAME = var.bucket, SLUICE_UPLOADS_S3 = "s3://${var.bucket}/${local.staging}" } }

# What the function's role may do with it: IAM statements.
output "statements" {
  value = [
    # The app, too, uploads in parts what it does not know the length of, and takes back one that fails.
    { Sid = "Files", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
    Resource = "${local.arn}/*" },
    { Sid = "FilesList", Effect = "Allow", Action = "s3:ListBucket", Resource = local.arn },
    { Sid = "Staging", Effect = "Allow", Action = "s3:ListMultipartUploadParts", Resource = "${local.arn}/${local.staging}*" },
  ]
}
