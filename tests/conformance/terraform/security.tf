# Who may talk to whom: rules inside the group, and rules as resources of their own.

variable "web_ports" {
  description = "What the internet may reach on the public side."
  type        = set(number)
  default     = [80]
}

resource "aws_security_group" "web" {
  name        = "web"
  description = "The public side"
  vpc_id      = aws_vpc.main.id

  dynamic "ingress" {
    for_each = var.web_ports
    content {
      description = "From anywhere"
      protocol    = "tcp"
      from_port   = ingress.value
      to_port     = ingress.value
      cidr_blocks = ["0.0.0.0/0"]
    }
  }
  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_security_group" "management" {
  name        = "management"
  description = "The corporate side"
  vpc_id      = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "ssh" {
  for_each          = toset(["192.168.0.0/16", "10.0.2.0/24"])
  security_group_id = aws_security_group.management.id
  description       = "Administrators"
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
  cidr_ipv4         = each.value
}

resource "aws_vpc_security_group_ingress_rule" "ping" {
  security_group_id = aws_security_group.management.id
  ip_protocol       = "icmp"
  from_port         = 8
  to_port           = -1
  cidr_ipv4         = "192.168.0.0/16"
}

resource "aws_vpc_security_group_ingress_rule" "peers" {
  security_group_id            = aws_security_group.management.id
  ip_protocol                  = "-1"
  referenced_security_group_id = aws_security_group.management.id
}

resource "aws_vpc_security_group_egress_rule" "all" {
  security_group_id = aws_security_group.management.id
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

# The older resource for a rule: it knows no rule id.
resource "aws_security_group_rule" "metrics" {
  security_group_id        = aws_security_group.management.id
  type                     = "ingress"
  protocol                 = "tcp"
  from_port                = 9100
  to_port                  = 9100
  source_security_group_id = aws_security_group.web.id
}

resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.main.id
}
