# How tasks reach AWS. Prices: us-east-1, price lists of March 2026, 730 hours a month; see docs/aws/cost.md.

# S3 and DynamoDB: gateway endpoints, free, whatever egress says. Films never pass a NAT gateway.
resource "aws_vpc_endpoint" "gateway" {
  for_each = toset(["s3", "dynamodb"])

  vpc_id            = aws_vpc.main.id
  vpc_endpoint_type = "Gateway"
  service_name      = "com.amazonaws.${local.region}.${each.value}"
  route_table_ids   = concat([aws_route_table.public.id], [for t in aws_route_table.private : t.id])

  tags = { Name = "${var.name}-${each.value}" }
}

# egress = "nat": $32.85 for each gateway and $3.65 for its address, one a zone, and $0.045 a GB of what isn't S3 or
# DynamoDB (queues, logs, images).
resource "aws_eip" "nat" {
  for_each = var.egress == "nat" ? local.zones : {}

  domain = "vpc"

  tags = { Name = "${var.name}-nat-${each.key}" }
}

resource "aws_nat_gateway" "main" {
  for_each = aws_eip.nat

  allocation_id = each.value.id
  subnet_id     = aws_subnet.public[each.key].id

  tags = { Name = "${var.name}-${each.key}" }

  depends_on = [aws_internet_gateway.main]
}

resource "aws_route" "nat" {
  for_each = aws_nat_gateway.main

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = each.value.id
}

locals {
  # egress = "endpoints": what tasks talk to. $7.30 each in each zone, and $0.01 a GB.
  interface_services = concat(
    ["ecr.api", "ecr.dkr", "logs", "secretsmanager", "sqs"],
    local.sagemaker ? ["sagemaker.runtime"] : [],
  )
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.egress == "endpoints" ? toset(local.interface_services) : toset([])

  vpc_id              = aws_vpc.main.id
  vpc_endpoint_type   = "Interface"
  service_name        = "com.amazonaws.${local.region}.${each.value}"
  subnet_ids          = [for s in aws_subnet.private : s.id]
  security_group_ids  = [aws_security_group.endpoints[0].id]
  private_dns_enabled = true

  tags = { Name = "${var.name}-${each.value}" }
}
