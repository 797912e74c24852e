# The borders of the subnets: rules inside the ACL, rules and associations as resources of their own, and the ACL that
# came with the VPC.

resource "aws_network_acl" "management" {
  vpc_id     = aws_vpc.main.id
  subnet_ids = [aws_subnet.management.id]

  ingress {
    rule_no    = 90
    action     = "deny"
    protocol   = "tcp"
    cidr_block = "10.0.1.0/24"
    from_port  = 22
    to_port    = 22
  }
  ingress {
    rule_no    = 100
    action     = "allow"
    protocol   = "-1"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    to_port    = 0
  }
  ingress {
    rule_no         = 110
    action          = "allow"
    protocol        = "58"
    ipv6_cidr_block = "::/0"
    icmp_type       = 128
    icmp_code       = -1
    from_port       = 0
    to_port         = 0
  }
  dynamic "egress" {
    for_each = var.web_ports
    content {
      rule_no    = 1000 + egress.value
      action     = "allow"
      protocol   = "udp"
      cidr_block = "10.0.0.0/16"
      from_port  = egress.value
      to_port    = 65535
    }
  }
  tags = { Name = "management" }
}

resource "aws_network_acl" "spare" {
  vpc_id = aws_vpc.main.id
}

resource "aws_network_acl_association" "spare" {
  network_acl_id = aws_network_acl.spare.id
  subnet_id      = aws_subnet.spare.id
}

resource "aws_network_acl_rule" "ping" {
  network_acl_id = aws_network_acl.spare.id
  rule_number    = 100
  egress         = false
  protocol       = "icmp"
  rule_action    = "allow"
  cidr_block     = aws_vpc.main.cidr_block
  icmp_type      = 8
  icmp_code      = -1
}

resource "aws_network_acl_rule" "out" {
  network_acl_id = aws_network_acl.spare.id
  rule_number    = 200
  egress         = true
  protocol       = "-1"
  rule_action    = "allow"
  cidr_block     = "0.0.0.0/0"
}

resource "aws_default_network_acl" "open" {
  default_network_acl_id = aws_vpc.main.default_network_acl_id
  subnet_ids             = [aws_subnet.public.id]

  ingress {
    rule_no    = 100
    action     = "allow"
    protocol   = "-1"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    to_port    = 0
  }
  egress {
    rule_no    = 100
    action     = "allow"
    protocol   = "-1"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    to_port    = 0
  }
}
