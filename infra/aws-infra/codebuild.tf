# Builds the stereo-inference image, which is large, next to the registry: `nx inference-build` starts it and shows its log.

locals {
  build_name = "${var.name}-inference-build"
}

resource "aws_codebuild_project" "inference" {
  #checkov:skip=CKV_AWS_316:building an image needs Docker, and Docker in CodeBuild needs this; the role pushes to one repository
  #checkov:skip=CKV_AWS_147:CodeBuild's own key; the result goes to ECR, not to artifacts
  name                   = local.build_name
  description            = "Builds and pushes the stereo-inference image"
  service_role           = aws_iam_role.build.arn
  build_timeout          = 60
  source_version         = var.source_version
  concurrent_build_limit = 1

  source {
    type            = "GITHUB"
    location        = var.source_repository
    git_clone_depth = 1
    buildspec       = file("${path.module}/buildspec.yml")
  }

  artifacts {
    type = "NO_ARTIFACTS"
  }

  environment {
    type            = "LINUX_CONTAINER"
    compute_type    = "BUILD_GENERAL1_MEDIUM"
    image           = "aws/codebuild/amazonlinux-x86_64-standard:5.0"
    privileged_mode = true

    environment_variable {
      name  = "REPOSITORY_URL"
      value = aws_ecr_repository.main["stereo-inference"].repository_url
    }
  }

  logs_config {
    cloudwatch_logs {
      group_name = aws_cloudwatch_log_group.build.name
    }
  }
}

resource "aws_cloudwatch_log_group" "build" {
  #checkov:skip=CKV_AWS_158:CloudWatch's own encryption; see logs.tf
  #checkov:skip=CKV_AWS_338:its days are a variable
  name              = "/${var.name}/inference-build"
  retention_in_days = var.log_days
}

data "aws_iam_policy_document" "build_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["codebuild.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:codebuild:${local.region}:${local.account}:project/${local.build_name}"]
    }
  }
}

data "aws_iam_policy_document" "build" {
  #checkov:skip=CKV_AWS_356:ecr:GetAuthorizationToken knows no resources
  statement {
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    actions   = local.push
    resources = [aws_ecr_repository.main["stereo-inference"].arn]
  }

  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.build.arn}:*"]
  }
}

resource "aws_iam_role" "build" {
  name               = local.build_name
  description        = "Builds the stereo-inference image"
  assume_role_policy = data.aws_iam_policy_document.build_trust.json
}

resource "aws_iam_role_policy" "build" {
  name   = "build"
  role   = aws_iam_role.build.id
  policy = data.aws_iam_policy_document.build.json
}
