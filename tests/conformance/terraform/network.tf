# A VPC between the internet and a corporate network: one subnet towards each.

data "aws_availability_zones" "here" {
  state = "available"
}

data "aws_caller_identity" "me" {}

resource "aws_vpc" "main" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "dual-homed" }
}

resource "aws_vpc_dhcp_options" "main" {
  domain_name                       = "dual-homed.example"
  domain_name_servers               = ["AmazonProvidedDNS"]
  ntp_servers                       = ["10.0.2.123"]
  ipv6_address_preferred_lease_time = 1440
  tags                              = { Name = "dual-homed" }
}

resource "aws_vpc_dhcp_options_association" "main" {
  vpc_id          = aws_vpc.main.id
  dhcp_options_id = aws_vpc_dhcp_options.main.id
}

resource "aws_subnet" "public" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.1.0/24"
  availability_zone = data.aws_availability_zones.here.names[0]
  tags              = { Name = "public" }
}

resource "aws_subnet" "management" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.2.0/24"
  availability_zone = data.aws_availability_zones.here.names[0]
  tags              = { Name = "management" }
}

resource "aws_subnet" "spare" {
  vpc_id                  = aws_vpc.main.id
  cidr_block              = "10.0.3.0/24"
  availability_zone       = data.aws_availability_zones.here.names[1]
  map_public_ip_on_launch = true
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}

# One table with its routes inside, one with its routes apart: Terraform reads the two differently.
resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.main.id
  }
  tags = { Name = "public" }
}

resource "aws_route_table_association" "public" {
  subnet_id      = aws_subnet.public.id
  route_table_id = aws_route_table.public.id
}

resource "aws_route_table" "management" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = "management" }
}

resource "aws_route_table_association" "management" {
  subnet_id      = aws_subnet.management.id
  route_table_id = aws_route_table.management.id
}

resource "aws_route" "appliance" {
  route_table_id         = aws_route_table.management.id
  destination_cidr_block = "172.16.0.0/12"
  network_interface_id   = aws_network_interface.management.id
}

resource "aws_vpn_gateway" "main" {
  amazon_side_asn = 64512
  tags            = { Name = "dual-homed" }
}

resource "aws_vpn_gateway_attachment" "main" {
  vpc_id         = aws_vpc.main.id
  vpn_gateway_id = aws_vpn_gateway.main.id
}

resource "aws_vpn_gateway_route_propagation" "management" {
  vpn_gateway_id = aws_vpn_gateway_attachment.main.vpn_gateway_id
  route_table_id = aws_route_table.management.id
}

resource "aws_customer_gateway" "corporate" {
  type       = "ipsec.1"
  ip_address = "203.0.113.1"
  bgp_asn    = 65000
  tags       = { Name = "corporate" }
}

resource "aws_vpn_connection" "corporate" {
  type                = "ipsec.1"
  customer_gateway_id = aws_customer_gateway.corporate.id
  vpn_gateway_id      = aws_vpn_gateway_attachment.main.vpn_gateway_id
  static_routes_only  = true
}

resource "aws_vpn_connection_route" "corporate" {
  vpn_connection_id      = aws_vpn_connection.corporate.id
  destination_cidr_block = "192.168.0.0/16"
}

# The spare subnet goes out by a NAT gateway in the public one, and over IPv6 by an egress-only gateway.
resource "aws_eip" "nat" {
  domain     = "vpc"
  depends_on = [aws_internet_gateway.main]
}

resource "aws_nat_gateway" "main" {
  allocation_id = aws_eip.nat.id
  subnet_id     = aws_subnet.public.id
  private_ip    = "10.0.1.100"
  tags          = { Name = "out" }
  depends_on    = [aws_internet_gateway.main]
}

resource "aws_nat_gateway" "private" {
  connectivity_type                  = "private"
  subnet_id                          = aws_subnet.management.id
  secondary_private_ip_address_count = 1
}

resource "aws_egress_only_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = "out" }
}

resource "aws_route_table" "spare" {
  vpc_id = aws_vpc.main.id

  route {
    cidr_block     = "0.0.0.0/0"
    nat_gateway_id = aws_nat_gateway.main.id
  }
  route {
    cidr_block     = "192.168.0.0/16"
    nat_gateway_id = aws_nat_gateway.private.id
  }
  route {
    ipv6_cidr_block        = "::/0"
    egress_only_gateway_id = aws_egress_only_internet_gateway.main.id
  }
}

resource "aws_route_table_association" "spare" {
  subnet_id      = aws_subnet.spare.id
  route_table_id = aws_route_table.spare.id
}

resource "aws_flow_log" "rejected" {
  vpc_id                   = aws_vpc.main.id
  traffic_type             = "REJECT"
  log_destination_type     = "s3"
  log_destination          = "arn:aws:s3:::traffic/rejected/"
  log_format               = "$${interface-id} $${pkt-srcaddr} $${dstport} $${action}"
  max_aggregation_interval = 60
  tags                     = { Name = "rejected" }

  destination_options {
    file_format        = "plain-text"
    per_hour_partition = true
  }
}

resource "aws_flow_log" "public" {
  subnet_id       = aws_subnet.public.id
  traffic_type    = "ALL"
  log_destination = "arn:aws:logs:us-east-1:${data.aws_caller_identity.me.account_id}:log-group:traffic"
  iam_role_arn    = "arn:aws:iam::${data.aws_caller_identity.me.account_id}:role/flow-logs"
}
