# Splits films, records converted segments, and joins them. From zero when there is nothing to do, and back.

locals {
  media_worker_task = {
    cpu     = var.media_worker.cpu
    memory  = var.media_worker.memory
    storage = var.media_worker.storage
    ports   = []
    health  = "http://127.0.0.1:${local.status_port}/healthz"
    secrets = {}

    environment = {
      STEREOSPOT_METRICS_ADDR  = "127.0.0.1:${local.status_port}"
      STEREOSPOT_DRAIN         = local.drain
      SEGMENT_OUTPUT_QUEUE_URL = aws_sqs_queue.pipeline["segment-output"].url
    }
  }
}
