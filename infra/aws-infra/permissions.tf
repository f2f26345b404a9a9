# What tasks may do. The lists are those of internal/platform/aws/doc.go, by service and by what the actions are taken on;
# a test holds one against the other.

locals {
  receive = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:SendMessage", "sqs:GetQueueAttributes"]
  send    = ["sqs:SendMessage", "sqs:GetQueueAttributes"]
  mend    = ["sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:StartMessageMoveTask", "sqs:PurgeQueue"]

  permissions = {
    web-ui = {
      "input bucket"                     = ["s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
      "output bucket"                    = ["s3:ListBucket", "s3:GetObject", "s3:DeleteObject"]
      "jobs table"                       = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
      "jobs table indexes"               = ["dynamodb:Query"]
      "segment completions table"        = ["dynamodb:Query", "dynamodb:PutItem", "dynamodb:BatchWriteItem"]
      "reassembly triggered table"       = ["dynamodb:GetItem", "dynamodb:Scan", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
      "chunking queue"                   = local.send
      "video-worker queue"               = local.send
      "segment-output queue"             = local.send
      "reassembly queue"                 = local.send
      "chunking dead-letter queue"       = local.mend
      "video-worker dead-letter queue"   = local.mend
      "segment-output dead-letter queue" = local.mend
      "reassembly dead-letter queue"     = local.mend
      "session key secret"               = ["secretsmanager:GetSecretValue"]
    }

    media-worker = {
      "input bucket"               = ["s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
      "output bucket"              = ["s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
      "jobs table"                 = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
      "segment completions table"  = ["dynamodb:Query", "dynamodb:PutItem", "dynamodb:BatchWriteItem"]
      "reassembly triggered table" = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
      "chunking queue"             = local.receive
      "video-worker queue"         = local.send
      "segment-output queue"       = local.receive
      "reassembly queue"           = local.receive
      "task"                       = ["ecs:UpdateTaskProtection"]
    }

    video-worker = merge(
      {
        "input bucket"               = ["s3:ListBucket", "s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
        "output bucket"              = ["s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:PutObjectTagging", "s3:DeleteObject", "s3:AbortMultipartUpload"]
        "jobs table"                 = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
        "segment completions table"  = ["dynamodb:Query", "dynamodb:PutItem", "dynamodb:BatchWriteItem"]
        "reassembly triggered table" = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"]
        "chunking queue"             = local.send
        "video-worker queue"         = local.receive
        "reassembly queue"           = local.send
        "task"                       = ["ecs:UpdateTaskProtection"]
      },
      local.sagemaker ? { "endpoint" = ["sagemaker:InvokeEndpointAsync"] } : {},
    )

    inference = {
      "input bucket"     = ["s3:ListBucket", "s3:GetObject"]
      "output bucket"    = ["s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload"]
      "hub token secret" = ["secretsmanager:GetSecretValue"]
    }
  }

  # What the words mean. Actions on a bucket and on its objects go to their own.
  resources = merge(
    { for role, bucket in aws_s3_bucket.media : "${role} bucket" => [bucket.arn, "${bucket.arn}/*"] },
    { for role, queue in aws_sqs_queue.pipeline : "${role} queue" => [queue.arn] },
    { for role, queue in aws_sqs_queue.dead_letters : "${role} dead-letter queue" => [queue.arn] },
    {
      "jobs table"                 = [aws_dynamodb_table.jobs.arn]
      "jobs table indexes"         = ["${aws_dynamodb_table.jobs.arn}/index/*"]
      "segment completions table"  = [aws_dynamodb_table.segment_completions.arn]
      "reassembly triggered table" = [aws_dynamodb_table.reassembly_triggered.arn]
      "session key secret"         = [aws_secretsmanager_secret.session_key.arn]
      "hub token secret"           = [aws_secretsmanager_secret.hf_token.arn]
      "task"                       = ["arn:${local.partition}:ecs:${local.region}:${local.account}:task/${aws_ecs_cluster.main.name}/*"]
      "endpoint"                   = ["arn:${local.partition}:sagemaker:${local.region}:${local.account}:endpoint/${local.endpoint_name}"]
    },
  )

  services = toset(["web-ui", "media-worker", "video-worker"])
}

data "aws_iam_policy_document" "task" {
  for_each = local.permissions

  dynamic "statement" {
    for_each = each.value

    content {
      actions   = statement.value
      resources = local.resources[statement.key]
    }
  }
}

data "aws_iam_policy_document" "task_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:ecs:${local.region}:${local.account}:*"]
    }
  }
}

resource "aws_iam_role" "task" {
  for_each = local.services

  name               = "${var.name}-${each.value}"
  description        = "What ${each.value} may do"
  assume_role_policy = data.aws_iam_policy_document.task_trust.json
}

resource "aws_iam_role_policy" "task" {
  for_each = local.services

  name   = "actions"
  role   = aws_iam_role.task[each.value].id
  policy = data.aws_iam_policy_document.task[each.value].json
}

# What ECS does before a task runs: fetch its own image and secrets, and write its own log.
data "aws_iam_policy_document" "execution" {
  #checkov:skip=CKV_AWS_356:ecr:GetAuthorizationToken knows no resources
  for_each = local.services

  statement {
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"]
    resources = [aws_ecr_repository.main[each.value].arn]
  }

  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.service[each.value].arn}:*"]
  }

  dynamic "statement" {
    for_each = length(local.tasks[each.value].secrets) > 0 ? [values(local.tasks[each.value].secrets)] : []

    content {
      actions   = ["secretsmanager:GetSecretValue"]
      resources = statement.value
    }
  }
}

resource "aws_iam_role" "execution" {
  for_each = local.services

  name               = "${var.name}-${each.value}-execution"
  description        = "Starts ${each.value}'s tasks"
  assume_role_policy = data.aws_iam_policy_document.task_trust.json
}

resource "aws_iam_role_policy" "execution" {
  for_each = local.services

  name   = "start"
  role   = aws_iam_role.execution[each.value].id
  policy = data.aws_iam_policy_document.execution[each.value].json
}
