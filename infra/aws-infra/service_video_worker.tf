# Has segments converted by the inference service. From zero when there is nothing to do, and back.

locals {
  video_worker_task = {
    cpu     = var.video_worker.cpu
    memory  = var.video_worker.memory
    storage = var.video_worker.storage
    ports   = []
    health  = "http://127.0.0.1:${local.status_port}/healthz"
    secrets = {}

    environment = merge(
      {
        STEREOSPOT_METRICS_ADDR   = "127.0.0.1:${local.status_port}"
        STEREOSPOT_DRAIN          = local.drain
        STEREOSPOT_PRICE_GPU_HOUR = tostring(var.prices.gpu_hour)
      },
      local.inference_environment,
    )
  }
}
