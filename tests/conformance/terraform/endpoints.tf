# How private subnets reach AWS's services, and a route to every office at once.

data "aws_region" "current" {}

resource "aws_vpc_endpoint" "ec2" {
  vpc_id             = aws_vpc.main.id
  service_name       = "com.amazonaws.${data.aws_region.current.name}.ec2"
  vpc_endpoint_type  = "Interface"
  subnet_ids         = [aws_subnet.management.id]
  security_group_ids = [aws_security_group.management.id]
  tags               = { Name = "ec2" }
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id          = aws_vpc.main.id
  service_name    = "com.amazonaws.${data.aws_region.current.name}.s3"
  route_table_ids = [aws_route_table.management.id]
}

resource "aws_ec2_managed_prefix_list" "offices" {
  name           = "offices"
  address_family = "IPv4"
  max_entries    = 5

  entry {
    cidr        = "192.0.2.0/24"
    description = "Paris"
  }
}

resource "aws_route" "offices" {
  route_table_id             = aws_route_table.management.id
  destination_prefix_list_id = aws_ec2_managed_prefix_list.offices.id
  gateway_id                 = aws_vpn_gateway_attachment.main.vpn_gateway_id
}
