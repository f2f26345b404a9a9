# The page, and the reconciler: one task at least always runs.

locals {
  web_ui_task = {
    cpu     = var.web_ui.cpu
    memory  = var.web_ui.memory
    storage = 21 # previews' scratch
    ports   = [local.web_port]
    health  = "http://127.0.0.1:${local.web_port}/healthz"
    secrets = { STEREOSPOT_PASSWORD = aws_secretsmanager_secret.page_password.arn }

    environment = merge({
      STEREOSPOT_ADDR            = "0.0.0.0:${local.web_port}"
      STEREOSPOT_PUBLIC_URL      = local.web_url
      STEREOSPOT_TRUSTED_PROXIES = var.vpc_cidr # where the load balancer is
      STEREOSPOT_DRAIN           = local.drain
      SEGMENT_OUTPUT_QUEUE_URL   = aws_sqs_queue.pipeline["segment-output"].url
      SESSION_KEY_SECRET_ARN     = aws_secretsmanager_secret.session_key.arn
      OPERATOR_LOG_GROUPS        = join(",", [for service in ["web-ui", "media-worker", "video-worker"] : "/${var.name}/${service}"])
      OPERATOR_COST_TAG          = "Project=${var.name}"
    }, local.depth_models == "" ? {} : { STEREOSPOT_DEPTH_MODELS = local.depth_models })
  }
}

resource "aws_ecs_service" "web_ui" {
  #checkov:skip=CKV_AWS_333:by variable; a public address costs a tenth of a NAT gateway, and the group admits the load balancer alone
  count = var.image_tag == "" ? 0 : 1

  name                              = "${var.name}-web-ui"
  cluster                           = aws_ecs_cluster.main.id
  task_definition                   = aws_ecs_task_definition.main["web-ui"].arn
  desired_count                     = var.web_ui.min
  health_check_grace_period_seconds = 60
  propagate_tags                    = "SERVICE"
  enable_ecs_managed_tags           = true
  availability_zone_rebalancing     = "ENABLED"

  # On demand: a Spot task that goes takes people's uploads and event streams with it.
  capacity_provider_strategy {
    capacity_provider = "FARGATE"
    weight            = 1
  }

  network_configuration {
    subnets          = local.task_subnets
    security_groups  = [aws_security_group.web_ui.id]
    assign_public_ip = !local.private
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.web_ui.arn
    container_name   = "web-ui"
    container_port   = local.web_port
  }

  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  # Later revisions come by `nx deploy`, the number of tasks by scaling.
  lifecycle {
    ignore_changes = [task_definition, desired_count]
  }

  depends_on = [aws_lb_listener.https, aws_iam_role_policy.task, aws_iam_role_policy.execution]
}

resource "aws_appautoscaling_target" "web_ui" {
  count = var.image_tag == "" ? 0 : 1

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.main.name}/${aws_ecs_service.web_ui[0].name}"
  min_capacity       = var.web_ui.min
  max_capacity       = var.web_ui.max
}

resource "aws_appautoscaling_policy" "web_ui" {
  count = var.image_tag == "" ? 0 : 1

  name               = "${var.name}-web-ui-processor"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.web_ui[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.web_ui[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.web_ui[0].resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = 60
    scale_out_cooldown = 60
    scale_in_cooldown  = 300

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}
