terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }

  # This project makes the place where the other one keeps its state, so its own state is a local file. Nothing is lost
  # with that file: the bucket and the table can be imported again by their names.
}

provider "aws" {
  region = var.aws_region

  default_tags {
    tags = local.tags
  }
}
