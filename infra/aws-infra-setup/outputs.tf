# What `terraform init` of aws-infra is told, each as backend_SETTING; `stereospot infra backend` writes them to a file.

output "backend_bucket" {
  description = "Bucket that holds the state of aws-infra."
  value       = aws_s3_bucket.state.id
}

output "backend_region" {
  description = "Region of the bucket and of the table."
  value       = local.region
}

output "backend_dynamodb_table" {
  description = "Table that holds the lock of that state."
  value       = aws_dynamodb_table.lock.name
}
