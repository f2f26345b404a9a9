# The services of media-worker and video-worker, which differ in their tasks and in how they scale alone.

locals {
  workers = { media-worker = var.media_worker, video-worker = var.video_worker }
}

resource "aws_ecs_service" "worker" {
  #checkov:skip=CKV_AWS_333:by variable; a public address costs a tenth of a NAT gateway, and the group admits nobody
  for_each = var.image_tag == "" ? {} : local.workers

  name                          = "${var.name}-${each.key}"
  cluster                       = aws_ecs_cluster.main.id
  task_definition               = aws_ecs_task_definition.main[each.key].arn
  desired_count                 = 0
  propagate_tags                = "SERVICE"
  enable_ecs_managed_tags       = true
  availability_zone_rebalancing = "DISABLED" # it would stop tasks at work

  # The first tasks on demand, so that work goes on when there is no Spot capacity; the rest Spot.
  capacity_provider_strategy {
    capacity_provider = "FARGATE"
    base              = var.on_demand_base
    weight            = 0
  }

  capacity_provider_strategy {
    capacity_provider = "FARGATE_SPOT"
    weight            = 1
  }

  network_configuration {
    subnets          = local.task_subnets
    security_groups  = [aws_security_group.worker.id]
    assign_public_ip = !local.private
  }

  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  lifecycle {
    ignore_changes = [task_definition, desired_count]
  }

  depends_on = [aws_iam_role_policy.task, aws_iam_role_policy.execution]
}
