# Who converts segments. "sagemaker": inference_sagemaker.tf. "http": a service of the operator's own, at
# inference_http_url; nothing of SageMaker is made then.

locals {
  sagemaker = var.inference_backend == "sagemaker"

  # The first apply has no image to run, and succeeds: model, endpoint configuration and endpoint are made once
  # inference_image_tag names one that `nx inference-build` has pushed.
  endpoint      = local.sagemaker && var.inference_image_tag != ""
  endpoint_name = "${var.name}-inference"

  # Who converts has the models; web-ui knows them by name and content.
  depth_models = join(",", var.depth_models)

  container_environment = merge(
    {
      AWS_REGION                = local.region
      HF_TOKEN_SECRET_ARN       = aws_secretsmanager_secret.hf_token.arn
      STEREOSPOT_INFERENCE_JOBS = tostring(var.sagemaker_concurrency + 1) # one stays free, so that /ping is well while all work
      STEREOSPOT_ACCEPT_LICENSE = tostring(var.accept_model_license)
    },
    local.depth_models == "" ? {} : { STEREOSPOT_FETCH_MODELS = local.depth_models },
    lookup(var.settings, "inference", {}),
  )

  inference_environment = merge(
    { INFERENCE_BACKEND = var.inference_backend, INFERENCE_MAX_IN_FLIGHT = tostring(var.inference_max_in_flight) },
    local.sagemaker ? { SAGEMAKER_ENDPOINT_NAME = local.endpoint_name } : { INFERENCE_HTTP_URL = var.inference_http_url },
  )
}
