# Who may talk to whom. Groups name each other; addresses appear where the other side is the internet or the operator.

locals {
  # The inference service's port, for the backend "http".
  inference_port = local.sagemaker ? 443 : tonumber(try(regex(":([0-9]+)/?$", var.inference_http_url)[0], startswith(var.inference_http_url, "https:") ? "443" : "80"))

  # Task groups: what each may reach beside S3 and DynamoDB.
  task_groups = { web-ui = aws_security_group.web_ui.id, worker = aws_security_group.worker.id }

  gateways = { for pair in setproduct(keys(local.task_groups), ["s3", "dynamodb"]) : join("-", pair) => { group = pair[0], service = pair[1] } }
}

resource "aws_security_group" "load_balancer" {
  name        = "${var.name}-load-balancer"
  description = "The page's address"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${var.name}-load-balancer" }
}

resource "aws_security_group" "web_ui" {
  name        = "${var.name}-web-ui"
  description = "web-ui's tasks"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${var.name}-web-ui" }
}

resource "aws_security_group" "worker" {
  name        = "${var.name}-worker"
  description = "media-worker's and video-worker's tasks, which nobody reaches"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${var.name}-worker" }
}

resource "aws_security_group" "endpoints" {
  count = var.egress == "endpoints" ? 1 : 0

  name        = "${var.name}-endpoints"
  description = "Interface endpoints of AWS services"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${var.name}-endpoints" }
}

resource "aws_vpc_security_group_ingress_rule" "page" {
  #checkov:skip=CKV_AWS_260:port 80 only redirects to 443
  for_each = { for pair in setproduct(var.allowed_cidrs, [80, 443]) : "${pair[0]}-${pair[1]}" => { cidr = pair[0], port = pair[1] } }

  security_group_id = aws_security_group.load_balancer.id
  description       = each.value.port == 80 ? "People, sent on to HTTPS" : "People"
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "load_balancer_web_ui" {
  security_group_id            = aws_security_group.load_balancer.id
  description                  = "The page"
  referenced_security_group_id = aws_security_group.web_ui.id
  ip_protocol                  = "tcp"
  from_port                    = local.web_port
  to_port                      = local.web_port
}

resource "aws_vpc_security_group_egress_rule" "load_balancer_oidc" {
  count = nonsensitive(var.oidc != null) ? 1 : 0

  security_group_id = aws_security_group.load_balancer.id
  description       = "The provider that signs people in"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "web_ui" {
  security_group_id            = aws_security_group.web_ui.id
  description                  = "The load balancer"
  referenced_security_group_id = aws_security_group.load_balancer.id
  ip_protocol                  = "tcp"
  from_port                    = local.web_port
  to_port                      = local.web_port
}

resource "aws_vpc_security_group_egress_rule" "gateway" {
  for_each = local.gateways

  security_group_id = local.task_groups[each.value.group]
  description       = "S3 and DynamoDB by their gateway endpoints"
  prefix_list_id    = aws_vpc_endpoint.gateway[each.value.service].prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

# AWS's other services, the hub of models, webhooks.
resource "aws_vpc_security_group_egress_rule" "internet" {
  for_each = { for name, group in local.task_groups : name => group if var.egress != "endpoints" }

  security_group_id = each.value
  description       = "AWS and webhooks, by HTTPS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "endpoints" {
  for_each = { for name, group in local.task_groups : name => group if var.egress == "endpoints" }

  security_group_id            = each.value
  description                  = "AWS by interface endpoints"
  referenced_security_group_id = aws_security_group.endpoints[0].id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  for_each = { for name, group in local.task_groups : name => group if var.egress == "endpoints" }

  security_group_id            = aws_security_group.endpoints[0].id
  description                  = "Tasks"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

# An inference service at another port than 443, or inside a network without a way out.
resource "aws_vpc_security_group_egress_rule" "inference" {
  count = local.sagemaker || local.inference_port == 443 && var.egress != "endpoints" ? 0 : 1

  security_group_id = aws_security_group.worker.id
  description       = "The inference service"
  cidr_ipv4         = var.egress == "endpoints" ? var.vpc_cidr : "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = local.inference_port
  to_port           = local.inference_port
}
