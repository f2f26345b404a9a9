data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.region
  partition = data.aws_partition.current.partition

  # The page's address, and who may talk to the buckets from a browser.
  web_url      = "https://${var.domain_name}"
  cors_origins = length(var.cors_origins) > 0 ? var.cors_origins : [local.web_url]

  # On everything that takes tags, and on tasks by propagate_tags. Activate Project and Component as cost allocation
  # tags in the billing console once; see docs/aws/cost.md.
  tags = merge(var.tags, { Project = var.name, Component = "pipeline", ManagedBy = "terraform" })
}
