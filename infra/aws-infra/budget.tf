# Counts what carries the deployment's tag; the tag has to be activated for cost allocation (docs/aws/cost.md).
resource "aws_budgets_budget" "monthly" {
  count = var.monthly_budget > 0 ? 1 : 0

  name         = "${var.name}-monthly"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.monthly_budget)
  limit_unit   = "USD"

  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:Project$%s", var.name)]
  }

  dynamic "notification" {
    for_each = [
      { kind = "ACTUAL", percent = 80 },
      { kind = "ACTUAL", percent = 100 },
      { kind = "FORECASTED", percent = 100 },
    ]

    content {
      notification_type          = notification.value.kind
      comparison_operator        = "GREATER_THAN"
      threshold                  = notification.value.percent
      threshold_type             = "PERCENTAGE"
      subscriber_email_addresses = var.alarm_emails
      subscriber_sns_topic_arns  = [aws_sns_topic.alarms.arn]
    }
  }
}
