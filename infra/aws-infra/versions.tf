terraform {
  required_version = ">= 1.11" # write-only arguments, lock files

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.7" # ephemeral random_password
    }
  }

  # aws-infra-setup says the rest: bucket, region and dynamodb_table come by -backend-config. Two locks are taken, the
  # file in the bucket and the item in the table. Terraform calls the table deprecated and warns; it goes, together with
  # aws-infra-setup's lock_table.tf, once nobody runs a Terraform before 1.10 on this state.
  backend "s3" {
    key          = "aws-infra/terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = var.aws_region

  default_tags {
    tags = local.tags
  }
}
