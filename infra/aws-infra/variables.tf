# What is deployed, and what it is called.

variable "name" {
  description = "Begins the name of everything that is made."
  type        = string
  default     = "stereospot"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "Use 3 to 20 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "aws_region" {
  description = "Region of the pipeline. null: the one of AWS_REGION or the AWS profile."
  type        = string
  default     = null
}

variable "tags" {
  description = "Further tags on everything, for cost allocation."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "domain_name" {
  description = "Host name of the page, for which the certificate was issued and which your DNS points at the load balancer, such as \"films.example\"."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)+$", var.domain_name))
    error_message = "Use a host name such as films.example, without https:// and path."
  }
}

variable "deletion_protection" {
  description = "Keeps tables and the load balancer from being deleted, and buckets and repositories that hold something. Apply once with false before a destroy."
  type        = bool
  default     = true
  nullable    = false
}

# Storage.

variable "cors_origins" {
  description = "Origins whose pages may upload to the input bucket and play from the output bucket, such as [\"https://films.example\"]. Empty: the page's own, https://{domain_name}, alone."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for o in var.cors_origins : can(regex("^https?://[^/*]+$", o))])
    error_message = "Name whole origins such as https://films.example: no paths, no wildcards."
  }
}

variable "source_days" {
  description = "Days after which uploaded films are removed. StereoSpot removes a job's own sooner if it is told to; this is for what was left."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.source_days >= 1 && floor(var.source_days) == var.source_days
    error_message = "Use whole days, 1 at least."
  }
}

variable "segment_days" {
  description = "Days after which segments of films are removed; longer than the longest job."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.segment_days >= 2 && floor(var.segment_days) == var.segment_days
    error_message = "Use whole days, 2 at least: a job may wait and try again for hours."
  }
}

variable "result_days" {
  description = "Days after which finished films are removed; 0 keeps them until their job is removed."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.result_days >= 0 && floor(var.result_days) == var.result_days
    error_message = "Use whole days, or 0."
  }
}

# Inference.

variable "inference_backend" {
  description = "Who converts segments: \"sagemaker\", an asynchronous endpoint that is made here, or \"http\", a service at inference_http_url."
  type        = string
  default     = "sagemaker"
  nullable    = false

  validation {
    condition     = contains(["sagemaker", "http"], var.inference_backend)
    error_message = "Use \"sagemaker\" or \"http\"."
  }
}
