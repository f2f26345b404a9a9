resource "aws_lb" "main" {
  #checkov:skip=CKV2_AWS_28:a firewall costs $5 a month and a dollar a rule; the page asks everybody to sign in and limits attempts
  #checkov:skip=CKV_AWS_150:by variable, true unless somebody is about to destroy it
  name                       = var.name
  load_balancer_type         = "application"
  internal                   = false
  subnets                    = [for s in aws_subnet.public : s.id]
  security_groups            = [aws_security_group.load_balancer.id]
  idle_timeout               = var.idle_timeout
  drop_invalid_header_fields = true
  desync_mitigation_mode     = "strictest"
  enable_deletion_protection = var.deletion_protection

  access_logs {
    bucket  = aws_s3_bucket.access_logs.id
    enabled = true
  }

  depends_on = [aws_s3_bucket_policy.access_logs]
}

resource "aws_lb_target_group" "web_ui" {
  #checkov:skip=CKV_AWS_378:the load balancer ends TLS; from there it is the network's own, group to group
  name                 = "${var.name}-web-ui"
  vpc_id               = aws_vpc.main.id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = local.web_port
  deregistration_delay = 30 # event streams connect again by themselves

  health_check {
    path                = "/readyz"
    matcher             = "200"
    interval            = 30
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.main.arn
  protocol          = "HTTP"
  port              = 80

  default_action {
    type = "redirect"

    redirect {
      protocol    = "HTTPS"
      port        = "443"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.main.arn
  protocol          = "HTTPS"
  port              = 443
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  dynamic "default_action" {
    for_each = nonsensitive(var.oidc != null) ? [1] : [] # the values are secret, and can't be iterated

    content {
      type  = "authenticate-oidc"
      order = 1

      authenticate_oidc {
        issuer                     = var.oidc.issuer
        authorization_endpoint     = var.oidc.authorization_endpoint
        token_endpoint             = var.oidc.token_endpoint
        user_info_endpoint         = var.oidc.user_info_endpoint
        client_id                  = var.oidc.client_id
        client_secret              = var.oidc.client_secret
        on_unauthenticated_request = "authenticate"
        scope                      = "openid email"
      }
    }
  }

  default_action {
    type             = "forward"
    order            = 2
    target_group_arn = aws_lb_target_group.web_ui.arn
  }
}
