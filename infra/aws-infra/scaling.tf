# How workers come and go with their queues. docs/aws/scaling.md draws what these numbers do; a simulation reads them
# from here.
#
#   wake     nobody runs and a message is visible: some tasks, at once
#   track    somebody runs: as many tasks as keep the messages that wait for each at the target; out only
#   idle     no message waits, is delayed or is in flight for idle_minutes: all tasks go
#
# Tasks never go while there is anything to do, so no message in flight loses its task to scaling. How many tasks run is
# the number of samples of their processor metric, one a task and minute: it costs nothing, other than Container Insights.

locals {
  # The queues whose messages a worker receives, as the actions in permissions.tf allow.
  worker_queues = {
    media-worker = ["chunking", "segment-output", "reassembly"]
    video-worker = ["video-worker"]
  }

  scaled = var.image_tag == "" ? {} : local.worker_queues

  queue_metrics = {
    visible  = "ApproximateNumberOfMessagesVisible"
    inflight = "ApproximateNumberOfMessagesNotVisible"
    delayed  = "ApproximateNumberOfMessagesDelayed"
  }

  # The sum of a metric over a worker's queues. A queue says nothing where it has nothing to say: that is 0.
  sums = { for worker, queues in local.worker_queues : worker => {
    for metric in keys(local.queue_metrics) : metric => join(" + ", [for q in queues : "FILL(${metric}_${replace(q, "-", "_")}, 0)"])
  } }

  # The metrics themselves, as queries with an id, the queue's name and the metric's.
  queue_queries = { for worker, queues in local.worker_queues : worker => {
    for pair in setproduct(keys(local.queue_metrics), queues) :
    "${pair[0]}_${replace(pair[1], "-", "_")}" => { kind = pair[0], metric = local.queue_metrics[pair[0]], queue = aws_sqs_queue.pipeline[pair[1]].name }
  } }

  # For the first tasks: as many as the messages that wait allow to say that early.
  wake_steps = {
    media-worker = [{ from = 0, to = 4, tasks = 1 }, { from = 4, to = null, tasks = 3 }]
    video-worker = [{ from = 0, to = 31, tasks = 1 }, { from = 31, to = null, tasks = 4 }]
  }
}

resource "aws_appautoscaling_target" "worker" {
  for_each = local.scaled

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.main.name}/${aws_ecs_service.worker[each.key].name}"
  min_capacity       = 0
  max_capacity       = local.workers[each.key].max
}

# Wake. Tasks are added, never set: a late metric can't take any away. The cooldown is longer than a task's start and its
# first sample take together, so that one message isn't answered twice.
resource "aws_cloudwatch_metric_alarm" "wake" {
  for_each = local.scaled

  alarm_name          = "${var.name}-${each.key}-wake"
  alarm_description   = "Messages wait for ${each.key}, and no task runs."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 1
  datapoints_to_alarm = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_appautoscaling_policy.wake[each.key].arn]

  metric_query {
    id          = "waiting"
    expression  = "IF(FILL(running, 0) < 1, ${local.sums[each.key].visible}, 0)"
    label       = "Waiting for nobody"
    return_data = true
  }

  metric_query {
    id = "running"

    metric {
      namespace   = "AWS/ECS"
      metric_name = "CPUUtilization"
      stat        = "SampleCount"
      period      = 60
      dimensions  = { ClusterName = aws_ecs_cluster.main.name, ServiceName = aws_ecs_service.worker[each.key].name }
    }
  }

  dynamic "metric_query" {
    for_each = { for id, q in local.queue_queries[each.key] : id => q if q.kind == "visible" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/SQS"
        metric_name = metric_query.value.metric
        stat        = "Maximum"
        period      = 60
        dimensions  = { QueueName = metric_query.value.queue }
      }
    }
  }
}

resource "aws_appautoscaling_policy" "wake" {
  for_each = local.scaled

  name               = "${var.name}-${each.key}-wake"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.worker[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.worker[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.worker[each.key].resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    metric_aggregation_type = "Maximum"
    cooldown                = 240

    dynamic "step_adjustment" {
      for_each = local.wake_steps[each.key]

      content {
        metric_interval_lower_bound = step_adjustment.value.from
        metric_interval_upper_bound = step_adjustment.value.to
        scaling_adjustment          = min(step_adjustment.value.tasks, local.workers[each.key].max)
      }
    }
  }
}

# Track.
resource "aws_appautoscaling_policy" "track" {
  for_each = local.scaled

  name               = "${var.name}-${each.key}-track"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.worker[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.worker[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.worker[each.key].resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = local.workers[each.key].target_messages
    scale_out_cooldown = 120
    scale_in_cooldown  = 300
    disable_scale_in   = true # see idle

    customized_metric_specification {
      metrics {
        id          = "backlog"
        expression  = "(${local.sums[each.key].visible}) / IF(FILL(running, 0) < 1, 1, running)"
        label       = "Messages that wait for each task"
        return_data = true
      }

      metrics {
        id          = "running"
        return_data = false

        metric_stat {
          stat = "SampleCount"

          metric {
            namespace   = "AWS/ECS"
            metric_name = "CPUUtilization"

            dimensions {
              name  = "ClusterName"
              value = aws_ecs_cluster.main.name
            }

            dimensions {
              name  = "ServiceName"
              value = aws_ecs_service.worker[each.key].name
            }
          }
        }
      }

      dynamic "metrics" {
        for_each = { for id, q in local.queue_queries[each.key] : id => q if q.kind == "visible" }

        content {
          id          = metrics.key
          return_data = false

          metric_stat {
            stat = "Maximum"

            metric {
              namespace   = "AWS/SQS"
              metric_name = metrics.value.metric

              dimensions {
                name  = "QueueName"
                value = metrics.value.queue
              }
            }
          }
        }
      }
    }
  }
}

# Idle. Missing data keeps the state as it is: while CloudWatch is out, nobody is sent home.
resource "aws_cloudwatch_metric_alarm" "idle" {
  for_each = local.scaled

  alarm_name          = "${var.name}-${each.key}-idle"
  alarm_description   = "No message waits for ${each.key} or is in flight. This is how a quiet deployment should be: in alarm."
  comparison_operator = "LessThanOrEqualToThreshold"
  threshold           = 0
  evaluation_periods  = var.idle_minutes
  datapoints_to_alarm = var.idle_minutes
  treat_missing_data  = "ignore"
  alarm_actions       = [aws_appautoscaling_policy.idle[each.key].arn]

  metric_query {
    id          = "work"
    expression  = "${local.sums[each.key].visible} + ${local.sums[each.key].inflight} + ${local.sums[each.key].delayed}"
    label       = "Messages"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = local.queue_queries[each.key]

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/SQS"
        metric_name = metric_query.value.metric
        stat        = "Maximum"
        period      = 60
        dimensions  = { QueueName = metric_query.value.queue }
      }
    }
  }
}

resource "aws_appautoscaling_policy" "idle" {
  for_each = local.scaled

  name               = "${var.name}-${each.key}-idle"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.worker[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.worker[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.worker[each.key].resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ExactCapacity"
    metric_aggregation_type = "Maximum"
    cooldown                = 60

    step_adjustment {
      metric_interval_upper_bound = 0
      scaling_adjustment          = 0
    }
  }
}
