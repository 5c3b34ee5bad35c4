# Name of the bucket, once it is there.
output "bucket" { value = module.bucket.s3_bucket_id }
