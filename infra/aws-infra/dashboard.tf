# One page: is it up, does work flow, how fast, what fails, what costs.

locals {
  metric = {
    queue = { for role, q in aws_sqs_queue.pipeline : role => q.name }
    dead  = { for role, q in aws_sqs_queue.dead_letters : role => q.name }
  }

  # Widgets in rows of two, each half of the 24 columns wide and 6 high.
  widgets = concat(
    [
      {
        title = "Films finished, and jobs failed by reason"
        stat  = "Sum"
        metrics = [
          [local.metrics_namespace, "FinishedFilms", "Service", "media-worker", { label = "finished" }],
          [{ expression = "SEARCH('{\"${local.metrics_namespace}\",Service,Reason} MetricName=\"FailedJobs\"', 'Sum')", label = "failed" }],
        ]
      },
      {
        title = "Conversion: frames a second, and seconds a frame"
        stat  = "Sum"
        metrics = [
          [{ expression = "frames / PERIOD(frames)", label = "frames a second" }],
          [local.metrics_namespace, "Frames", "Service", "video-worker", { id = "frames", visible = false }],
          [local.metrics_namespace, "SecondsPerFrame", "Service", "video-worker", { label = "seconds a frame", stat = "Average", yAxis = "right" }],
        ]
      },
      {
        title   = "Messages that wait"
        stat    = "Maximum"
        metrics = [for role, name in local.metric.queue : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name, { label = role }]]
      },
      {
        title   = "Messages in flight"
        stat    = "Maximum"
        metrics = [for role, name in local.metric.queue : ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", name, { label = role }]]
      },
      {
        title   = "Age of the oldest message, seconds"
        stat    = "Maximum"
        metrics = [for role, name in local.metric.queue : ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", name, { label = role }]]
      },
      {
        title   = "Dead letters"
        stat    = "Maximum"
        metrics = [for role, name in local.metric.dead : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name, { label = role }]]
      },
      {
        title   = "Tasks"
        stat    = "SampleCount"
        metrics = [for service in local.services : ["AWS/ECS", "CPUUtilization", "ClusterName", aws_ecs_cluster.main.name, "ServiceName", "${var.name}-${service}", { label = service }]]
      },
      {
        title   = "Processor, per cent"
        stat    = "Average"
        metrics = [for service in local.services : ["AWS/ECS", "CPUUtilization", "ClusterName", aws_ecs_cluster.main.name, "ServiceName", "${var.name}-${service}", { label = service }]]
      },
      {
        title = "The page: requests and errors"
        stat  = "Sum"
        metrics = [
          ["AWS/ApplicationELB", "RequestCount", "LoadBalancer", aws_lb.main.arn_suffix, { label = "requests" }],
          ["AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "LoadBalancer", aws_lb.main.arn_suffix, { label = "errors" }],
        ]
      },
      {
        title = "The page: answer time, seconds"
        stat  = "p95"
        metrics = [
          ["AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", aws_lb.main.arn_suffix, { label = "95 of 100" }],
        ]
      },
      {
        title   = "Cost: dollars an hour, as the services estimate it"
        stat    = "Sum"
        metrics = [for service in local.services : [local.metrics_namespace, "EstimatedCost", "Service", service, { label = service, period = 3600 }]]
      },
      {
        title = "Work: minutes of film finished, segments converted, an hour"
        stat  = "Sum"
        metrics = [
          [local.metrics_namespace, "FinishedMinutes", "Service", "media-worker", { label = "minutes", period = 3600 }],
          [local.metrics_namespace, "Segments", "Service", "video-worker", { label = "segments", period = 3600 }],
        ]
      },
      {
        title = "Cost: reads and writes of tables"
        stat  = "Sum"
        metrics = flatten([for table in [aws_dynamodb_table.jobs.name, aws_dynamodb_table.segment_completions.name, aws_dynamodb_table.reassembly_triggered.name] : [
          [["AWS/DynamoDB", "ConsumedReadCapacityUnits", "TableName", table, { label = "${table} reads" }]],
          [["AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", table, { label = "${table} writes" }]],
        ]])
      },
      {
        title   = "Cost: stored bytes"
        stat    = "Average"
        metrics = [for role, b in aws_s3_bucket.media : ["AWS/S3", "BucketSizeBytes", "BucketName", b.id, "StorageType", "StandardStorage", { label = role, period = 86400 }]]
      },
    ],
    [for widget in [
      {
        title = "Inference: segments that wait or are converted"
        stat  = "Maximum"
        metrics = [
          ["AWS/SageMaker", "ApproximateBacklogSize", "EndpointName", local.endpoint_name, { label = "backlog" }],
          ["AWS/SageMaker", "InvocationFailures", "EndpointName", local.endpoint_name, { label = "failures", stat = "Sum" }],
        ]
      },
      {
        title = "Cost: inference instances"
        stat  = "SampleCount"
        metrics = [
          ["/aws/sagemaker/Endpoints", "CPUUtilization", "EndpointName", local.endpoint_name, "VariantName", "main", { label = "instances" }],
        ]
      },
    ] : widget if local.sagemaker],
  )
}

resource "aws_cloudwatch_dashboard" "main" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = [for i, w in local.widgets : {
      type   = "metric"
      x      = i % 2 * 12
      y      = floor(i / 2) * 6
      width  = 12
      height = 6
      properties = {
        title   = w.title
        region  = local.region
        view    = "timeSeries"
        stat    = w.stat
        period  = 60
        metrics = w.metrics
      }
    }]
  })
}
