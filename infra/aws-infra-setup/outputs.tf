output "backend_config" {
  description = "The backend configuration of aws-infra, as `terraform init -backend-config=KEY=VALUE` takes it."
  value = {
    bucket         = aws_s3_bucket.state.id
    region         = local.region
    dynamodb_table = aws_dynamodb_table.lock.name
  }
}

output "state_bucket_name" {
  description = "Bucket that holds the state of aws-infra."
  value       = aws_s3_bucket.state.id
}

output "lock_table_name" {
  description = "Table that holds the lock of that state."
  value       = aws_dynamodb_table.lock.name
}

output "aws_region" {
  description = "Region of the bucket and the table."
  value       = local.region
}
