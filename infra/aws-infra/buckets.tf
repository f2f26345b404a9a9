# The input bucket holds uploads, plans and segments; the output bucket converted segments and finished films.
#
# Neither keeps versions. Every object is written once, whole, under a key of its own job, and made again from what came
# before it; versions would keep what a person has removed, and pay for every expired segment a second time.

locals {
  buckets = {
    # Names of buckets are unique in the whole world: the account and the region make these ours.
    input  = "${var.name}-input-${local.account}-${local.region}"
    output = "${var.name}-output-${local.account}-${local.region}"
  }
}

resource "aws_s3_bucket" "media" {
  #checkov:skip=CKV_AWS_18:readers come by links that web-ui signs, and it logs them; server access logs would cost a request per segment again
  #checkov:skip=CKV_AWS_21:versions are off on purpose, see the head of this file
  #checkov:skip=CKV_AWS_144:everything here but the upload can be made again, and the person has the upload
  #checkov:skip=CKV_AWS_145:SSE-S3; a customer key adds two KMS requests per segment and protects from nobody who may read the bucket
  #checkov:skip=CKV2_AWS_62:see aws_s3_bucket_notification.media
  for_each = local.buckets

  bucket        = each.value
  force_destroy = !var.deletion_protection
}

resource "aws_s3_bucket_versioning" "media" {
  for_each = local.buckets

  bucket = aws_s3_bucket.media[each.key].id

  versioning_configuration {
    status = "Disabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "media" {
  for_each = local.buckets

  bucket = aws_s3_bucket.media[each.key].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "media" {
  for_each = local.buckets

  bucket                  = aws_s3_bucket.media[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "media" {
  for_each = local.buckets

  bucket = aws_s3_bucket.media[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

data "aws_iam_policy_document" "media_bucket" {
  for_each = local.buckets

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.media[each.key].arn, "${aws_s3_bucket.media[each.key].arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "media" {
  for_each = local.buckets

  bucket = aws_s3_bucket.media[each.key].id
  policy = data.aws_iam_policy_document.media_bucket[each.key].json

  depends_on = [aws_s3_bucket_public_access_block.media]
}

# Browsers upload parts to the input bucket and have to read each part's ETag; players ask the output bucket for ranges.
resource "aws_s3_bucket_cors_configuration" "input" {
  bucket = aws_s3_bucket.media["input"].id

  cors_rule {
    allowed_methods = ["PUT"]
    allowed_origins = local.cors_origins
    allowed_headers = ["*"]
    expose_headers  = ["ETag"]
    max_age_seconds = 3600
  }
}

resource "aws_s3_bucket_cors_configuration" "output" {
  bucket = aws_s3_bucket.media["output"].id

  cors_rule {
    allowed_methods = ["GET", "HEAD"]
    allowed_origins = local.cors_origins
    allowed_headers = ["Range", "If-Range", "If-Match", "If-None-Match"]
    expose_headers  = ["Accept-Ranges", "Content-Disposition", "Content-Length", "Content-Range", "ETag"]
    max_age_seconds = 3600
  }
}
