# What the web server hears, copied to an interface for whoever watches.

resource "aws_network_interface" "watch" {
  subnet_id       = aws_subnet.public.id
  security_groups = [aws_security_group.web.id]
  tags            = { Name = "watch" }
}

resource "aws_ec2_traffic_mirror_filter" "web" {
  description      = "web"
  network_services = ["amazon-dns"]
  tags             = { Name = "web" }
}

resource "aws_ec2_traffic_mirror_filter_rule" "in" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.web.id
  description              = "requests"
  traffic_direction        = "ingress"
  rule_number              = 1
  rule_action              = "accept"
  protocol                 = 6
  source_cidr_block        = "0.0.0.0/0"
  destination_cidr_block   = "10.0.0.0/16"

  source_port_range {
    from_port = 1024
    to_port   = 65535
  }
  destination_port_range {
    from_port = min(tolist(var.web_ports)...)
    to_port   = max(tolist(var.web_ports)...)
  }
}

resource "aws_ec2_traffic_mirror_filter_rule" "out" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.web.id
  traffic_direction        = "egress"
  rule_number              = 1
  rule_action              = "reject"
  source_cidr_block        = "0.0.0.0/0"
  destination_cidr_block   = "0.0.0.0/0"
}

resource "aws_ec2_traffic_mirror_target" "watch" {
  description          = "watch"
  network_interface_id = aws_network_interface.watch.id
  tags                 = { Name = "watch" }
}

resource "aws_ec2_traffic_mirror_session" "web" {
  description              = "web"
  network_interface_id     = aws_instance.web.primary_network_interface_id
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.web.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.watch.id
  session_number           = 1
  packet_length            = length(var.web_ports) > 1 ? 100 : null
  tags                     = { Name = "web" }
}
