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

variable "inference_http_url" {
  description = "Address of the inference service when inference_backend is \"http\", such as http://gpu.internal:8080."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.inference_backend == "http" ? can(regex("^https?://[^/:]+(:[0-9]+)?/?$", var.inference_http_url)) : var.inference_http_url == ""
    error_message = "Give an address such as http://gpu.internal:8080 with the backend \"http\", and nothing with \"sagemaker\"."
  }
}

variable "inference_max_in_flight" {
  description = "Segments that one video-worker task has converted elsewhere at the same time."
  type        = number
  default     = 16
  nullable    = false

  validation {
    condition     = var.inference_max_in_flight >= 1 && var.inference_max_in_flight <= 1000
    error_message = "Use 1 to 1000."
  }
}

variable "inference_image_tag" {
  description = "Tag, a commit, of the stereo-inference image that SageMaker runs. Empty: there is no image yet, and no model or endpoint is made."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$", var.inference_image_tag)) && var.inference_image_tag != "latest"
    error_message = "Use a tag that says which build it is, such as a commit; never \"latest\"."
  }
}

variable "depth_models" {
  description = "Neural depth models that people may choose, the best first: names that `stereospot models list` shows, NAME=SHA256 where it shows no SHA-256. The endpoint fetches them; a service at inference_http_url has to have them. Empty: depth is classic's."
  type        = list(string)
  default     = ["depth-anything-v2-small"]
  nullable    = false

  validation {
    condition     = alltrue([for m in var.depth_models : can(regex("^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(=[0-9a-f]{64})?$", m)) && !contains(["auto", "classic"], m)])
    error_message = "Use names of models such as depth-anything-v2-small, or NAME=SHA256 in lower-case hexadecimal."
  }

  validation {
    condition     = length(distinct([for m in var.depth_models : split("=", m)[0]])) == length(var.depth_models)
    error_message = "Name each model once."
  }
}

variable "accept_model_license" {
  description = "Whether you agree to the licences of depth_models that forbid commercial use; without, they are not fetched."
  type        = bool
  default     = false
  nullable    = false
}

variable "sagemaker_instance_type" {
  description = "Instance that converts segments."
  type        = string
  default     = "ml.g4dn.xlarge"
  nullable    = false

  validation {
    condition     = can(regex("^ml[.][a-z0-9-]+[.][a-z0-9]+$", var.sagemaker_instance_type))
    error_message = "Use a SageMaker instance type such as ml.g4dn.xlarge."
  }
}

variable "sagemaker_max_instances" {
  description = "Most instances at a time; the account's quota for the type has to allow them."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.sagemaker_max_instances >= 1
    error_message = "Use 1 at least."
  }
}

variable "sagemaker_concurrency" {
  description = "Segments that one instance converts at the same time."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.sagemaker_concurrency >= 1 && var.sagemaker_concurrency <= 64
    error_message = "Use 1 to 64."
  }
}

# Where the stereo-inference image is built from.

variable "source_repository" {
  description = "Git repository that CodeBuild builds the stereo-inference image from. The connection to a private one is made once, with aws codebuild import-source-credentials."
  type        = string
  default     = "https://github.com/stereospot/stereospot.git"
  nullable    = false

  validation {
    condition     = can(regex("^https://", var.source_repository))
    error_message = "Use the repository's https address."
  }
}

variable "source_version" {
  description = "Branch, tag or commit that is built when a build doesn't name one."
  type        = string
  default     = "main"
  nullable    = false
}

# Network. Prices: us-east-1, price lists of March 2026, 730 hours a month; see docs/aws/cost.md.

variable "vpc_cidr" {
  description = "IPv4 addresses of the network."
  type        = string
  default     = "10.42.0.0/16"
  nullable    = false

  validation {
    condition     = can(cidrsubnet(var.vpc_cidr, 4, 0))
    error_message = "Use an IPv4 prefix of 24 bits at most, such as 10.42.0.0/16."
  }
}

variable "zones" {
  description = "Availability zones that are used, 2 or 3."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = contains([2, 3], var.zones)
    error_message = "Use 2 or 3."
  }
}

variable "egress" {
  description = <<-TEXT
    How tasks reach AWS, beside S3 and DynamoDB, which are reached by gateway endpoints for nothing:
      "public"     tasks have public addresses that admit nobody: $3.65 a month for each task that runs all the time
                   ($0.005 an hour), nothing for tasks that aren't there;
      "nat"        tasks in private subnets, one NAT gateway a zone: $36.50 a month each ($0.045 an hour and an address),
                   $73.00 for two zones, and $0.045 a GB;
      "endpoints"  tasks in private subnets that reach AWS alone, by interface endpoints: $7.30 a month for each of the
                   6 (with http: 5) endpoints in each zone ($0.01 an hour), $87.60 for two zones, and $0.01 a GB. No
                   webhooks, and an inference_http_url has to lie inside the network.
  TEXT
  type        = string
  default     = "public"
  nullable    = false

  validation {
    condition     = contains(["public", "nat", "endpoints"], var.egress)
    error_message = "Use \"public\", \"nat\" or \"endpoints\"."
  }
}

variable "flow_log_days" {
  description = "Days for which the network's flow log is kept; 0 records none. About $0.50 a GB."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = contains([0, 1, 3, 5, 7, 14, 30, 60, 90, 180, 365], var.flow_log_days)
    error_message = "Use 0 or a retention that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 180 or 365."
  }
}

# The page.

variable "certificate_arn" {
  description = "ARN of the certificate for domain_name in AWS Certificate Manager, in the same region."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/", var.certificate_arn))
    error_message = "Use the ARN of a certificate in AWS Certificate Manager."
  }
}

variable "allowed_cidrs" {
  description = "IPv4 networks that may reach the page. The default is everybody: they still have to sign in."
  type        = list(string)
  default     = ["0.0.0.0/0"]
  nullable    = false

  validation {
    condition     = length(var.allowed_cidrs) > 0 && alltrue([for c in var.allowed_cidrs : can(cidrsubnet(c, 0, 0))])
    error_message = "Name IPv4 networks such as 203.0.113.0/24."
  }
}

variable "idle_timeout" {
  description = "Seconds after which the load balancer ends a silent connection. Event streams give a sign of life every 15 seconds; slow answers may take longer."
  type        = number
  default     = 120
  nullable    = false

  validation {
    condition     = var.idle_timeout >= 60 && var.idle_timeout <= 4000
    error_message = "Use 60 to 4000: below a minute a late sign of life ends an event stream."
  }
}

variable "access_log_days" {
  description = "Days for which the load balancer's access logs are kept."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.access_log_days >= 1
    error_message = "Use 1 at least."
  }
}

variable "oidc" {
  description = "Lets the load balancer sign people in by this OpenID Connect provider, before they reach the page. null: only the page's own sign-in is asked for."
  type = object({
    issuer                 = string
    authorization_endpoint = string
    token_endpoint         = string
    user_info_endpoint     = string
    client_id              = string
    client_secret          = string
  })
  default   = null
  sensitive = true
}

# Tasks.

variable "image_tag" {
  description = "Tag, a commit, of the web-ui, media-worker and video-worker images that services start with. Empty: there are no images yet, and no services are made. Later images are rolled out by `nx deploy`, which this doesn't undo."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$", var.image_tag)) && var.image_tag != "latest"
    error_message = "Use a tag that says which build it is, such as a commit; never \"latest\"."
  }
}

variable "cpu_architecture" {
  description = "Processor of the tasks: X86_64 or ARM64, which costs a fifth less. The images have to be built for it."
  type        = string
  default     = "X86_64"
  nullable    = false

  validation {
    condition     = contains(["X86_64", "ARM64"], var.cpu_architecture)
    error_message = "Use \"X86_64\" or \"ARM64\"."
  }
}

variable "web_ui" {
  description = "web-ui's tasks: how many at least and at most, CPU units (1024 = one vCPU), memory in MiB."
  type = object({
    min    = optional(number, 1)
    max    = optional(number, 4)
    cpu    = optional(number, 512)
    memory = optional(number, 1024)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.web_ui.min >= 1 && var.web_ui.max >= var.web_ui.min
    error_message = "One task at least has to run: it serves the page, and repairs what a crash left."
  }
}

variable "media_worker" {
  description = "media-worker's tasks: how many at most (at least 0), CPU units, memory in MiB, scratch disk in GiB (the source of a film, its segments and the result lie on it together), and messages waiting for each task that are few enough."
  type = object({
    max             = optional(number, 10)
    cpu             = optional(number, 2048)
    memory          = optional(number, 4096)
    storage         = optional(number, 150)
    target_messages = optional(number, 2)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.media_worker.max >= 1 && var.media_worker.storage >= 21 && var.media_worker.storage <= 200 && var.media_worker.target_messages > 0
    error_message = "Use 1 task at least, 21 to 200 GiB of disk (Fargate's limits), and a target above 0."
  }
}

variable "video_worker" {
  description = "video-worker's tasks: how many at most (at least 0), CPU units, memory in MiB, scratch disk in GiB, and messages waiting for each task that are few enough."
  type = object({
    max             = optional(number, 10)
    cpu             = optional(number, 512)
    memory          = optional(number, 1024)
    storage         = optional(number, 21)
    target_messages = optional(number, 16)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.video_worker.max >= 1 && var.video_worker.storage >= 21 && var.video_worker.storage <= 200 && var.video_worker.target_messages > 0
    error_message = "Use 1 task at least, 21 to 200 GiB of disk (Fargate's limits), and a target above 0."
  }
}

variable "on_demand_base" {
  description = "Tasks of each worker that run on demand; the rest are Spot tasks, at about a third of the price, which AWS may stop with two minutes' notice."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.on_demand_base >= 0
    error_message = "Use 0 or more."
  }
}

variable "idle_minutes" {
  description = "Minutes without a message, waiting or in flight, after which a worker's tasks go."
  type        = number
  default     = 15
  nullable    = false

  validation {
    condition     = var.idle_minutes >= 5 && var.idle_minutes <= 60 && floor(var.idle_minutes) == var.idle_minutes
    error_message = "Use 5 to 60 whole minutes."
  }
}

variable "settings" {
  description = "Further environment variables of a service's tasks or of the endpoint's container, by service, such as { web-ui = { STEREOSPOT_KEEP_RESULTS = \"30d\" }, inference = { HF_ENDPOINT = \"https://mirror.example\" } }. No secrets: whoever may read definitions sees them."
  type        = map(map(string))
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for service in keys(var.settings) : contains(["web-ui", "media-worker", "video-worker", "inference"], service)])
    error_message = "The services are web-ui, media-worker, video-worker and inference."
  }
}

# What is watched.

variable "log_days" {
  description = "Days for which the services' logs are kept."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_days)
    error_message = "Use a retention that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731."
  }
}

variable "container_insights" {
  description = "Collects ECS's detailed metrics of every task: about $0.30 a month for each metric while it is reported. Scaling doesn't need them."
  type        = bool
  default     = false
  nullable    = false
}

variable "alarm_emails" {
  description = "Addresses that alarms and the budget write to; each has to confirm once."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for a in var.alarm_emails : can(regex("^[^@ ]+@[^@ ]+$", a))])
    error_message = "Use e-mail addresses."
  }
}

variable "monthly_budget" {
  description = "US dollars a month; at 80 % and 100 % of it, and when the forecast exceeds it, alarm_emails are told. 0: no budget."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.monthly_budget == 0 || var.monthly_budget > 0 && length(var.alarm_emails) > 0
    error_message = "Use 0 or more, and name alarm_emails: a budget has to tell somebody."
  }
}

variable "prices" {
  description = "US dollars, from which the services' metrics estimate what a film costs. The defaults are those of us-east-1, x86-64 on demand, whose dates docs/aws/cost.md gives: a vCPU-hour, a GB-hour of memory, a GB-hour of disk above the first 20, an hour of the inference instance, and a thousand requests on average."
  type = object({
    vcpu_hour   = optional(number, 0.04048)
    gb_hour     = optional(number, 0.004445)
    disk_hour   = optional(number, 0.000111)
    gpu_hour    = optional(number, 0.7364)
    requests_1k = optional(number, 0.002)
  })
  default  = {}
  nullable = false
}

# Continuous integration.

variable "ci_repository" {
  description = "GitHub repository, as owner/name, whose workflows may push images and roll them out, by OpenID Connect and without stored keys. Empty: none may."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9-]+/[A-Za-z0-9._-]+)?$", var.ci_repository))
    error_message = "Use owner/name."
  }
}

variable "ci_branch" {
  description = "Branch whose workflows may do so."
  type        = string
  default     = "main"
  nullable    = false
}
