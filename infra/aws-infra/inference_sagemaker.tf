# An asynchronous endpoint that has instances only while segments are there to convert.

resource "aws_sagemaker_model" "inference" {
  #checkov:skip=CKV_AWS_370:the container fetches its model from the hub, and segments from S3; nothing but its role reaches the buckets
  count = local.endpoint ? 1 : 0

  # A change of the image or of what the container is told is another model, which has to have another name.
  name               = "${local.endpoint_name}-${substr(replace(var.inference_image_tag, "/[^A-Za-z0-9]/", "-"), 0, 22)}-${substr(sha256(jsonencode(local.container_environment)), 0, 8)}"
  execution_role_arn = aws_iam_role.inference[0].arn

  primary_container {
    image = "${aws_ecr_repository.main["stereo-inference"].repository_url}:${var.inference_image_tag}"

    environment = local.container_environment
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [aws_iam_role_policy.inference]
}

resource "aws_sagemaker_endpoint_configuration" "inference" {
  #checkov:skip=CKV_AWS_98:its disk holds segments under way; SageMaker encrypts instance storage by itself on this family
  count = local.endpoint ? 1 : 0

  name_prefix = "${local.endpoint_name}-"

  production_variants {
    variant_name                                      = "main"
    model_name                                        = aws_sagemaker_model.inference[0].name
    instance_type                                     = var.sagemaker_instance_type
    initial_instance_count                            = 1    # it can't be 0; scaling takes it away
    container_startup_health_check_timeout_in_seconds = 1800 # /ping isn't well before the models are fetched and warm
    model_data_download_timeout_in_seconds            = 600
  }

  async_inference_config {
    client_config {
      max_concurrent_invocations_per_instance = var.sagemaker_concurrency
    }

    output_config {
      s3_output_path  = "s3://${aws_s3_bucket.media["output"].id}/${local.sagemaker_prefixes[0]}"
      s3_failure_path = "s3://${aws_s3_bucket.media["output"].id}/${local.sagemaker_prefixes[1]}"
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_sagemaker_endpoint" "inference" {
  count = local.endpoint ? 1 : 0

  name                 = local.endpoint_name
  endpoint_config_name = aws_sagemaker_endpoint_configuration.inference[0].name

  # Later images and settings come by `nx inference-redeploy`, which makes configurations of its own from the one above.
  lifecycle {
    ignore_changes = [endpoint_config_name]
  }
}

resource "aws_appautoscaling_target" "inference" {
  count = local.endpoint ? 1 : 0

  service_namespace  = "sagemaker"
  scalable_dimension = "sagemaker:variant:DesiredInstanceCount"
  resource_id        = "endpoint/${aws_sagemaker_endpoint.inference[0].name}/variant/main"
  min_capacity       = 0
  max_capacity       = var.sagemaker_max_instances
}

# While instances run: as many as keep the segments that wait for or are on each at about two rounds of its own.
resource "aws_appautoscaling_policy" "inference_track" {
  count = local.endpoint ? 1 : 0

  name               = "${local.endpoint_name}-track"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.inference[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.inference[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.inference[0].resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.sagemaker_concurrency * 2
    scale_out_cooldown = 120
    scale_in_cooldown  = 600

    customized_metric_specification {
      namespace   = "AWS/SageMaker"
      metric_name = "ApproximateBacklogSizePerInstance"
      statistic   = "Average"

      dimensions {
        name  = "EndpointName"
        value = aws_sagemaker_endpoint.inference[0].name
      }
    }
  }
}

# From zero: target tracking can't multiply no instances, so the first one comes by this alarm.
resource "aws_appautoscaling_policy" "inference_wake" {
  count = local.endpoint ? 1 : 0

  name               = "${local.endpoint_name}-wake"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.inference[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.inference[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.inference[0].resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    metric_aggregation_type = "Average"
    cooldown                = 600 # an instance takes minutes to come

    step_adjustment {
      metric_interval_lower_bound = 0
      scaling_adjustment          = 1
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "inference_wake" {
  count = local.endpoint ? 1 : 0

  alarm_name          = "${local.endpoint_name}-wake"
  alarm_description   = "Segments wait, and no instance runs."
  namespace           = "AWS/SageMaker"
  metric_name         = "HasBacklogWithoutCapacity"
  dimensions          = { EndpointName = aws_sagemaker_endpoint.inference[0].name }
  statistic           = "Average"
  period              = 60
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 1
  treat_missing_data  = "missing"
  alarm_actions       = [aws_appautoscaling_policy.inference_wake[0].arn]
}

# The role of the container, and of SageMaker around it.
data "aws_iam_policy_document" "inference_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["sagemaker.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

data "aws_iam_policy_document" "inference_runtime" {
  #checkov:skip=CKV_AWS_356:ecr:GetAuthorizationToken and cloudwatch:PutMetricData know no resources; the latter is held to SageMaker's namespace
  #checkov:skip=CKV_AWS_111:as above
  statement {
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"]
    resources = [aws_ecr_repository.main["stereo-inference"].arn]
  }

  statement {
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/sagemaker/Endpoints/${local.endpoint_name}*"]
  }

  statement {
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"]

    condition {
      test     = "StringLike"
      variable = "cloudwatch:namespace"
      values   = ["/aws/sagemaker/*", "AWS/SageMaker"]
    }
  }
}

resource "aws_iam_role" "inference" {
  count = local.sagemaker ? 1 : 0

  name               = local.endpoint_name
  description        = "What the inference service may do"
  assume_role_policy = data.aws_iam_policy_document.inference_trust.json
}

resource "aws_iam_role_policy" "inference" {
  count = local.sagemaker ? 1 : 0

  name   = "actions"
  role   = aws_iam_role.inference[0].id
  policy = data.aws_iam_policy_document.task["inference"].json
}

resource "aws_iam_role_policy" "inference_runtime" {
  count = local.sagemaker ? 1 : 0

  name   = "run"
  role   = aws_iam_role.inference[0].id
  policy = data.aws_iam_policy_document.inference_runtime.json
}

# SageMaker writes to a group of its own name; made here so that it ends.
resource "aws_cloudwatch_log_group" "inference" {
  #checkov:skip=CKV_AWS_158:CloudWatch's own encryption; see logs.tf
  #checkov:skip=CKV_AWS_338:its days are a variable
  count = local.sagemaker ? 1 : 0

  name              = "/aws/sagemaker/Endpoints/${local.endpoint_name}"
  retention_in_days = var.log_days
}
