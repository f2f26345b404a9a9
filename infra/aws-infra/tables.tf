# One item a job. The indexes list jobs of a status by time; their sort keys are numbers, milliseconds since 1970.
resource "aws_dynamodb_table" "jobs" {
  #checkov:skip=CKV_AWS_119:DynamoDB's own key; a customer key would be asked for by every task that starts
  name                        = "${var.name}-jobs"
  billing_mode                = "PAY_PER_REQUEST"
  deletion_protection_enabled = var.deletion_protection
  hash_key                    = "job_id"

  attribute {
    name = "job_id"
    type = "S"
  }

  attribute {
    name = "status"
    type = "S"
  }

  attribute {
    name = "created_at"
    type = "N"
  }

  attribute {
    name = "completed_at"
    type = "N"
  }

  global_secondary_index {
    name            = "status-created_at"
    hash_key        = "status"
    range_key       = "created_at"
    projection_type = "ALL"
  }

  global_secondary_index {
    name            = "status-completed_at"
    hash_key        = "status"
    range_key       = "completed_at"
    projection_type = "ALL"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }
}

# One item a converted segment, and one for the progress of each segment under way.
resource "aws_dynamodb_table" "segment_completions" {
  #checkov:skip=CKV_AWS_119:as for the jobs
  name                        = "${var.name}-segment-completions"
  billing_mode                = "PAY_PER_REQUEST"
  deletion_protection_enabled = var.deletion_protection
  hash_key                    = "job_id"
  range_key                   = "segment_index"

  attribute {
    name = "job_id"
    type = "S"
  }

  attribute {
    name = "segment_index"
    type = "N"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }
}

# Leases, that of a job's reassembly among them, tokens and notices, by name.
resource "aws_dynamodb_table" "reassembly_triggered" {
  #checkov:skip=CKV_AWS_119:as for the jobs
  name                        = "${var.name}-reassembly-triggered"
  billing_mode                = "PAY_PER_REQUEST"
  deletion_protection_enabled = var.deletion_protection
  hash_key                    = "job_id"

  attribute {
    name = "job_id"
    type = "S"
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }
}
