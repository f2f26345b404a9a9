# What every task is told and given. service_*.tf say what is each service's own.

locals {
  web_port    = 8080
  status_port = 9090 # of the workers, for the health check alone
  scratch     = "/scratch"
  user        = "10001:10001" # as in the Dockerfiles, whose volume at local.scratch is this user's

  tasks = { web-ui = local.web_ui_task, media-worker = local.media_worker_task, video-worker = local.video_worker_task }

  # The environment that all services read; internal/config names it.
  environment = {
    STEREOSPOT_PLATFORM             = "aws"
    STEREOSPOT_SCRATCH_DIR          = local.scratch
    AWS_REGION                      = local.region
    INPUT_BUCKET_NAME               = aws_s3_bucket.media["input"].id
    OUTPUT_BUCKET_NAME              = aws_s3_bucket.media["output"].id
    JOBS_TABLE_NAME                 = aws_dynamodb_table.jobs.name
    SEGMENT_COMPLETIONS_TABLE_NAME  = aws_dynamodb_table.segment_completions.name
    REASSEMBLY_TRIGGERED_TABLE_NAME = aws_dynamodb_table.reassembly_triggered.name
    CHUNKING_QUEUE_URL              = aws_sqs_queue.pipeline["chunking"].url
    VIDEO_WORKER_QUEUE_URL          = aws_sqs_queue.pipeline["video-worker"].url
    REASSEMBLY_QUEUE_URL            = aws_sqs_queue.pipeline["reassembly"].url
    STEREOSPOT_METRICS_NAMESPACE    = local.metrics_namespace
    STEREOSPOT_PRICE_1K_REQUESTS    = tostring(var.prices.requests_1k)
  }

  # Dollars an hour; the first 20 GB of disk are free.
  task_prices = { for service, t in local.tasks : service => format("%.5f",
    t.cpu / 1024 * var.prices.vcpu_hour + t.memory / 1024 * var.prices.gb_hour + (t.storage - 20) * var.prices.disk_hour
  ) }

  metrics_namespace = "StereoSpot/${var.name}"

  # After SIGTERM nothing more is taken, what is under way has the drain's time to end, and goes back to its queue. SIGKILL
  # comes a good while later; Fargate allows two minutes, which is Spot's notice too.
  drain        = "25s"
  stop_timeout = 60
}

resource "aws_ecs_task_definition" "main" {
  for_each = local.tasks

  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  task_role_arn            = aws_iam_role.task[each.key].arn
  execution_role_arn       = aws_iam_role.execution[each.key].arn
  skip_destroy             = true # a rollout may have to go back to it

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  ephemeral_storage {
    size_in_gib = each.value.storage
  }

  volume {
    name = "scratch"
  }

  container_definitions = jsonencode([{
    name                   = each.key
    image                  = "${aws_ecr_repository.main[each.key].repository_url}:${var.image_tag == "" ? "none" : var.image_tag}"
    entryPoint             = ["stereospot"]
    command                = [each.key]
    essential              = true
    user                   = local.user
    readonlyRootFilesystem = true
    stopTimeout            = local.stop_timeout

    environment = [for name, value in merge(
      local.environment,
      { STEREOSPOT_PRICE_TASK_HOUR = local.task_prices[each.key] },
      each.value.environment,
      lookup(var.settings, each.key, {}),
    ) : { name = name, value = value }]

    secrets = [for name, arn in each.value.secrets : { name = name, valueFrom = arn }]

    portMappings = [for port in each.value.ports : { containerPort = port, protocol = "tcp" }]
    mountPoints  = [{ sourceVolume = "scratch", containerPath = local.scratch, readOnly = false }]

    healthCheck = {
      command     = ["CMD", "stereospot", "healthcheck", each.value.health]
      interval    = 30
      timeout     = 5
      retries     = 3
      startPeriod = 30
    }

    linuxParameters = {
      initProcessEnabled = true # reaps what FFmpeg leaves
      capabilities       = { drop = ["ALL"] }
    }

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-region        = local.region
        awslogs-group         = aws_cloudwatch_log_group.service[each.key].name
        awslogs-stream-prefix = "task"
        mode                  = "non-blocking" # a slow CloudWatch doesn't slow conversions
        max-buffer-size       = "8m"
      }
    }
  }])
}
