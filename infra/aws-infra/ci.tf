# Lets a repository's workflows push images and roll them out: GitHub signs who they are, AWS believes it for this one
# branch, and no keys are kept anywhere. docs/aws/ci.md has the workflow.

locals {
  ci = var.ci_repository != ""

  push = [
    "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage",
  ]
}

# One a provider and account. If the account has GitHub's already, import it:
#   terraform import 'aws_iam_openid_connect_provider.github[0]' ARN
resource "aws_iam_openid_connect_provider" "github" {
  count = local.ci ? 1 : 0

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "ci_trust" {
  count = local.ci ? 1 : 0

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.github[0].arn]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = ["repo:${var.ci_repository}:ref:refs/heads/${var.ci_branch}"]
    }
  }
}

# What `nx deploy`, `nx inference-build` and `nx inference-redeploy` ask for.
data "aws_iam_policy_document" "ci" {
  #checkov:skip=CKV_AWS_356:ecr:GetAuthorizationToken and task definitions know no resources
  #checkov:skip=CKV_AWS_111:as above
  count = local.ci ? 1 : 0

  statement {
    actions   = ["ecr:GetAuthorizationToken", "ecs:RegisterTaskDefinition", "ecs:DeregisterTaskDefinition", "ecs:DescribeTaskDefinition"]
    resources = ["*"]
  }

  statement {
    actions   = local.push
    resources = [for r in aws_ecr_repository.main : r.arn]
  }

  statement {
    actions   = ["ecs:DescribeServices", "ecs:UpdateService", "ecs:TagResource"]
    resources = ["arn:${local.partition}:ecs:${local.region}:${local.account}:*"]

    condition {
      test     = "StringEqualsIfExists"
      variable = "aws:ResourceTag/Project"
      values   = [var.name]
    }
  }

  statement {
    actions   = ["iam:PassRole"]
    resources = concat([for r in aws_iam_role.task : r.arn], [for r in aws_iam_role.execution : r.arn])

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }

  statement {
    actions   = ["codebuild:StartBuild", "codebuild:StopBuild", "codebuild:BatchGetBuilds"]
    resources = [aws_codebuild_project.inference.arn]
  }

  statement {
    actions   = ["logs:GetLogEvents"]
    resources = ["${aws_cloudwatch_log_group.build.arn}:*"]
  }

  dynamic "statement" {
    for_each = local.sagemaker ? [1] : []

    content {
      actions = [
        "sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig", "sagemaker:DescribeModel", "sagemaker:ListTags",
        "sagemaker:CreateModel", "sagemaker:CreateEndpointConfig", "sagemaker:UpdateEndpoint",
        "sagemaker:DeleteModel", "sagemaker:DeleteEndpointConfig", "sagemaker:AddTags",
      ]
      resources = [for kind in ["endpoint", "endpoint-config", "model"] : "arn:${local.partition}:sagemaker:${local.region}:${local.account}:${kind}/${local.endpoint_name}*"]
    }
  }

  dynamic "statement" {
    for_each = local.sagemaker ? [1] : []

    content {
      actions   = ["iam:PassRole"]
      resources = [aws_iam_role.inference[0].arn]

      condition {
        test     = "StringEquals"
        variable = "iam:PassedToService"
        values   = ["sagemaker.amazonaws.com"]
      }
    }
  }
}

resource "aws_iam_role" "ci" {
  count = local.ci ? 1 : 0

  name               = "${var.name}-ci"
  description        = "Pushes images and rolls them out from ${var.ci_repository}"
  assume_role_policy = data.aws_iam_policy_document.ci_trust[0].json
}

resource "aws_iam_role_policy" "ci" {
  count = local.ci ? 1 : 0

  name   = "deploy"
  role   = aws_iam_role.ci[0].id
  policy = data.aws_iam_policy_document.ci[0].json
}
