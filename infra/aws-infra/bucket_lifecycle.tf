resource "aws_s3_bucket_lifecycle_configuration" "input" {
  bucket = aws_s3_bucket.media["input"].id

  rule {
    id     = "sources"
    status = "Enabled"

    filter {
      prefix = "input/"
    }

    expiration {
      days = var.source_days
    }
  }

  rule {
    id     = "segments"
    status = "Enabled"

    filter {
      prefix = "segments/"
    }

    expiration {
      days = var.segment_days
    }
  }

  # A rule of its own: S3 lets no rule with a tag abort uploads, and this one is for every key. A person may continue an
  # upload for a week (platform.UploadIdle).
  rule {
    id     = "unfinished-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 8
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "output" {
  bucket = aws_s3_bucket.media["output"].id

  # jobs/{job_id}/segments/ and jobs/{job_id}/final.mp4 share a prefix, and filters know no wildcards: so converted
  # segments say by a tag that they may go.
  rule {
    id     = "converted-segments"
    status = "Enabled"

    filter {
      tag {
        key   = "stereospot:expire"
        value = "segment"
      }
    }

    expiration {
      days = 1
    }
  }

  rule {
    id     = "results"
    status = var.result_days > 0 ? "Enabled" : "Disabled"

    filter {
      prefix = "jobs/"
    }

    expiration {
      days = max(var.result_days, 1)
    }
  }

  dynamic "rule" {
    for_each = concat(local.sagemaker_prefixes, local.sagemaker_requests)

    content {
      id     = trimsuffix(rule.value, "/")
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      expiration {
        days = 1
      }
    }
  }

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}
