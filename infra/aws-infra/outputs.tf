# `nx run aws-infra:terraform-output` writes these to .env, names in upper case, a map's entries as NAME_KEY. What a
# service reads has its name in the environment here; the rest is for the commands that deploy and try a deployment out.

output "aws_region" {
  description = "Region of the deployment."
  value       = local.region
}

output "input_bucket_name" {
  description = "Bucket of uploads, plans and segments."
  value       = aws_s3_bucket.media["input"].id
}

output "output_bucket_name" {
  description = "Bucket of converted segments and finished films."
  value       = aws_s3_bucket.media["output"].id
}

output "jobs_table_name" {
  description = "Table of jobs."
  value       = aws_dynamodb_table.jobs.name
}

output "segment_completions_table_name" {
  description = "Table of converted segments and of progress."
  value       = aws_dynamodb_table.segment_completions.name
}

output "reassembly_triggered_table_name" {
  description = "Table of leases, tokens and notices."
  value       = aws_dynamodb_table.reassembly_triggered.name
}

output "chunking_queue_url" {
  description = "Queue of uploaded films."
  value       = aws_sqs_queue.pipeline["chunking"].url
}

output "video_worker_queue_url" {
  description = "Queue of segments to convert."
  value       = aws_sqs_queue.pipeline["video-worker"].url
}

output "segment_output_queue_url" {
  description = "Queue of converted segments."
  value       = aws_sqs_queue.pipeline["segment-output"].url
}

output "reassembly_queue_url" {
  description = "Queue of films to join."
  value       = aws_sqs_queue.pipeline["reassembly"].url
}

output "inference_backend" {
  description = "Who converts segments."
  value       = var.inference_backend
}

output "inference_http_url" {
  description = "Address of the inference service, for the backend \"http\"."
  value       = local.sagemaker ? null : var.inference_http_url
}

output "inference_max_in_flight" {
  description = "Segments that one video-worker task has converted elsewhere at the same time."
  value       = var.inference_max_in_flight
}

output "sagemaker_endpoint_name" {
  description = "Asynchronous endpoint, for the backend \"sagemaker\"; it is made once inference_image_tag is set."
  value       = local.sagemaker ? local.endpoint_name : null
}

output "sagemaker_endpoint_config_name" {
  description = "Configuration of the endpoint as it was applied last; inference-redeploy moves the endpoint to it with another image."
  value       = local.endpoint ? aws_sagemaker_endpoint_configuration.inference[0].name : null
}

output "session_key_secret_arn" {
  description = "Secret that people's sessions are sealed with."
  value       = aws_secretsmanager_secret.session_key.arn
}

output "hf_token_secret_arn" {
  description = "Secret that holds the model hub's token."
  value       = aws_secretsmanager_secret.hf_token.arn
}

output "page_password_secret_arn" {
  description = "Secret that holds the page's password."
  value       = aws_secretsmanager_secret.page_password.arn
}

output "ecr_repository_url" {
  description = "Registry addresses of the images, by image."
  value       = { for image, r in aws_ecr_repository.main : image => r.repository_url }
}

output "ecs_cluster_name" {
  description = "Cluster of the services."
  value       = aws_ecs_cluster.main.name
}

output "ecs_service_name" {
  description = "Services, by what they run; they are made once image_tag is set."
  value       = { for service in local.services : service => "${var.name}-${service}" }
}

output "alb_url" {
  description = "Address of the page."
  value       = local.web_url
}

output "alb_dns_name" {
  description = "Name of the load balancer, which domain_name has to lead to: a CNAME, or an alias in Route 53."
  value       = aws_lb.main.dns_name
}

output "alb_zone_id" {
  description = "Zone of the load balancer's name, for an alias in Route 53."
  value       = aws_lb.main.zone_id
}

output "codebuild_project_name" {
  description = "Project that builds the stereo-inference image."
  value       = aws_codebuild_project.inference.name
}

output "alarm_topic_arn" {
  description = "Topic that alarms go to."
  value       = aws_sns_topic.alarms.arn
}

output "dashboard_name" {
  description = "CloudWatch dashboard of the deployment."
  value       = aws_cloudwatch_dashboard.main.dashboard_name
}

output "ci_role_arn" {
  description = "Role of the workflows of ci_repository."
  value       = one(aws_iam_role.ci[*].arn)
}
