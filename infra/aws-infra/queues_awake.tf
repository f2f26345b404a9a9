# CloudWatch hears of a queue for six hours after the last call that touched it, and may need a quarter of an hour to hear
# of it again, for which the next film would wait. web-ui asks for depths as long as it writes metrics; whatever it does, each
# queue is asked every three hours, which costs nothing.

resource "aws_scheduler_schedule" "awake" {
  #checkov:skip=CKV_AWS_297:it holds the URL of a queue, nothing secret
  for_each = aws_sqs_queue.pipeline

  name                = "${each.value.name}-awake"
  description         = "Keeps the metrics of ${each.key} coming"
  schedule_expression = "rate(3 hours)"

  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = 15
  }

  target {
    arn      = "arn:${local.partition}:scheduler:::aws-sdk:sqs:getQueueAttributes"
    role_arn = aws_iam_role.awake.arn
    input    = jsonencode({ QueueUrl = each.value.url, AttributeNames = ["ApproximateNumberOfMessages"] })
  }
}

data "aws_iam_policy_document" "awake_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

data "aws_iam_policy_document" "awake" {
  statement {
    actions   = ["sqs:GetQueueAttributes"]
    resources = [for q in aws_sqs_queue.pipeline : q.arn]
  }
}

resource "aws_iam_role" "awake" {
  name               = "${var.name}-queues-awake"
  description        = "Asks for the depth of queues"
  assume_role_policy = data.aws_iam_policy_document.awake_trust.json
}

resource "aws_iam_role_policy" "awake" {
  name   = "ask"
  role   = aws_iam_role.awake.id
  policy = data.aws_iam_policy_document.awake.json
}
