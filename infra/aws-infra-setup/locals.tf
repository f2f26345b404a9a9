data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  region = data.aws_region.current.region
  # Names of buckets are unique in the whole world: the account and the region make this one ours.
  state_bucket = "${var.name}-state-${data.aws_caller_identity.current.account_id}-${local.region}"
  lock_table   = "${var.name}-state-lock"

  tags = merge(var.tags, { Project = var.name, Component = "state", ManagedBy = "terraform" })
}
