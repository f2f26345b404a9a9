resource "aws_cloudwatch_log_group" "service" {
  #checkov:skip=CKV_AWS_158:CloudWatch's own encryption; logs name jobs and files, never secrets
  #checkov:skip=CKV_AWS_338:its days are a variable
  for_each = local.tasks

  name              = "/${var.name}/${each.key}"
  retention_in_days = var.log_days
}
