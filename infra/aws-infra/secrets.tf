# Values are written without passing through Terraform's state: those made here are ephemeral and write-only.

# The hub's token is a person's: `nx run aws-infra:update-hf-token` writes it. Without it models are fetched without.
resource "aws_secretsmanager_secret" "hf_token" {
  #checkov:skip=CKV_AWS_149:Secrets Manager's own key; see tables.tf
  #checkov:skip=CKV2_AWS_57:the hub's token is a person's, and changed by them
  name                    = "${var.name}/hf-token"
  description             = "Token for the model hub"
  recovery_window_in_days = var.deletion_protection ? 30 : 0
}

ephemeral "random_password" "session_key" {
  length  = 64
  special = false
}

resource "aws_secretsmanager_secret" "session_key" {
  #checkov:skip=CKV_AWS_149:as for the hub's token
  #checkov:skip=CKV2_AWS_57:people rotate it: raise session_key's version below; twice signs everybody out
  name                    = "${var.name}/session-key"
  description             = "Seals people's sessions, the same in every web-ui task"
  recovery_window_in_days = var.deletion_protection ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "session_key" {
  secret_id                = aws_secretsmanager_secret.session_key.id
  secret_string_wo         = ephemeral.random_password.session_key.result
  secret_string_wo_version = 1
}

# web-ui doesn't listen to a network without a password. Read it in the console; write another to change it, and roll
# web-ui out anew.
ephemeral "random_password" "page" {
  length  = 24
  special = false
}

resource "aws_secretsmanager_secret" "page_password" {
  #checkov:skip=CKV_AWS_149:as for the hub's token
  #checkov:skip=CKV2_AWS_57:people know it
  name                    = "${var.name}/page-password"
  description             = "Password of the page"
  recovery_window_in_days = var.deletion_protection ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "page_password" {
  secret_id                = aws_secretsmanager_secret.page_password.id
  secret_string_wo         = ephemeral.random_password.page.result
  secret_string_wo_version = 1
}
