locals {
  # How long a message that was received stays out of sight, in seconds; workers renew it at a third of that.
  visibility = {
    chunking       = 15 * 60
    video-worker   = 30 * 60
    segment-output = 2 * 60
    reassembly     = 10 * 60
  }

  max_receives = 5 # then the message is a dead letter, and its job has failed
}

resource "aws_sqs_queue" "pipeline" {
  for_each = local.visibility

  name                       = "${var.name}-${each.key}"
  visibility_timeout_seconds = each.value
  message_retention_seconds  = 4 * 24 * 60 * 60
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters[each.key].arn
    maxReceiveCount     = local.max_receives
  })
}

resource "aws_sqs_queue" "dead_letters" {
  for_each = local.visibility

  name                       = "${var.name}-${each.key}-dlq"
  visibility_timeout_seconds = 60
  message_retention_seconds  = 14 * 24 * 60 * 60
  sqs_managed_sse_enabled    = true
}

# Only these queues' own messages may end there.
resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  for_each = local.visibility

  queue_url = aws_sqs_queue.dead_letters[each.key].id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.pipeline[each.key].arn]
  })
}

# Roles of this account reach the queues by their own policies. A queue's policy admits the bucket whose events it
# carries, and nobody without TLS.
data "aws_iam_policy_document" "queue" {
  for_each = local.visibility

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [aws_sqs_queue.pipeline[each.key].arn]

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

  dynamic "statement" {
    for_each = [for queue, bucket in local.queue_senders : bucket if queue == each.key]

    content {
      sid       = "BucketEvents"
      effect    = "Allow"
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.pipeline[each.key].arn]

      principals {
        type        = "Service"
        identifiers = ["s3.amazonaws.com"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [aws_s3_bucket.media[statement.value].arn]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
    }
  }
}

resource "aws_sqs_queue_policy" "pipeline" {
  for_each = local.visibility

  queue_url = aws_sqs_queue.pipeline[each.key].id
  policy    = data.aws_iam_policy_document.queue[each.key].json
}

data "aws_iam_policy_document" "dead_letters" {
  for_each = local.visibility

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [aws_sqs_queue.dead_letters[each.key].arn]

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

resource "aws_sqs_queue_policy" "dead_letters" {
  for_each = local.visibility

  queue_url = aws_sqs_queue.dead_letters[each.key].id
  policy    = data.aws_iam_policy_document.dead_letters[each.key].json
}
