# Who converts segments. "sagemaker": inference_sagemaker.tf. "http": a service of the operator's own, at
# inference_http_url; nothing of SageMaker is made then.

locals {
  sagemaker = var.inference_backend == "sagemaker"

  # The first apply has no image to run, and succeeds: model, endpoint configuration and endpoint are made once
  # inference_image_tag names one that `nx inference-build` has pushed.
  endpoint      = local.sagemaker && var.inference_image_tag != ""
  endpoint_name = "${var.name}-inference"

  inference_environment = merge(
    { INFERENCE_BACKEND = var.inference_backend, INFERENCE_MAX_IN_FLIGHT = tostring(var.inference_max_in_flight) },
    local.sagemaker ? { SAGEMAKER_ENDPOINT_NAME = local.endpoint_name } : { INFERENCE_HTTP_URL = var.inference_http_url },
  )
}
