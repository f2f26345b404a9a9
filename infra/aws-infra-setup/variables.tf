variable "name" {
  description = "Begins the name of everything that is made; the same as in aws-infra."
  type        = string
  default     = "stereospot"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "Use 3 to 20 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "aws_region" {
  description = "Region of the state. null: the one of AWS_REGION or the AWS profile."
  type        = string
  default     = null
}

variable "tags" {
  description = "Further tags on everything, for cost allocation."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "state_history_days" {
  description = "Days for which overwritten versions of the state are kept."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.state_history_days >= 7
    error_message = "Keep a week of history at least: it is the only way back from a damaged state."
  }
}
