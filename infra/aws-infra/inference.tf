locals {
  sagemaker = var.inference_backend == "sagemaker"
}
