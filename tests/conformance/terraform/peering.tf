# A VPC of shared services, peered with the main one: asked for, accepted, and given options by resources of their own.

resource "aws_vpc" "shared" {
  cidr_block           = "10.9.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "shared" }
}

resource "aws_vpc_peering_connection" "shared" {
  vpc_id        = aws_vpc.main.id
  peer_vpc_id   = aws_vpc.shared.id
  peer_owner_id = data.aws_caller_identity.me.account_id
  tags          = { Name = "shared" }
}

resource "aws_vpc_peering_connection_accepter" "shared" {
  vpc_peering_connection_id = aws_vpc_peering_connection.shared.id
  auto_accept               = true
  tags                      = { Name = "shared" }
}

resource "aws_vpc_peering_connection_options" "shared" {
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.shared.id

  requester {
    allow_remote_vpc_dns_resolution = true
  }
}

resource "aws_route" "to_shared" {
  route_table_id            = aws_route_table.management.id
  destination_cidr_block    = aws_vpc.shared.cidr_block
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.shared.id
}

resource "aws_default_route_table" "shared" {
  default_route_table_id = aws_vpc.shared.default_route_table_id

  route {
    cidr_block                = aws_subnet.management.cidr_block
    vpc_peering_connection_id = aws_vpc_peering_connection_accepter.shared.id
  }
}

resource "aws_security_group" "shared" {
  name        = "shared"
  description = "Services for managed machines"
  vpc_id      = aws_vpc.shared.id
}

resource "aws_vpc_security_group_ingress_rule" "shared" {
  security_group_id            = aws_security_group.shared.id
  ip_protocol                  = "tcp"
  from_port                    = 389
  to_port                      = 389
  referenced_security_group_id = aws_security_group.management.id

  depends_on = [aws_vpc_peering_connection_accepter.shared]
}

data "aws_vpc_peering_connection" "shared" {
  id         = aws_vpc_peering_connection_accepter.shared.id
  depends_on = [aws_vpc_peering_connection_options.shared]
}

output "peering" {
  value = {
    status = data.aws_vpc_peering_connection.shared.status
    block  = data.aws_vpc_peering_connection.shared.peer_cidr_block
  }
}
