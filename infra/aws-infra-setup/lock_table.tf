# Terraform 1.10 and later lock by a file in the bucket (use_lockfile), and call the table deprecated. Both are held
# while both kinds of Terraform may be about: a run that knows only one of them still meets the other's lock there.
resource "aws_dynamodb_table" "lock" {
  #checkov:skip=CKV_AWS_119:holds nothing but who has the lock; DynamoDB's own key encrypts it
  name                        = local.lock_table
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "LockID"
  deletion_protection_enabled = true

  attribute {
    name = "LockID"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }

  lifecycle {
    prevent_destroy = true
  }
}
