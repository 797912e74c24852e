# Can the world reach the web server? Asked once, when it is up.

resource "aws_ec2_network_insights_path" "web" {
  source           = aws_internet_gateway.main.id
  destination      = aws_instance.web.id
  protocol         = "tcp"
  destination_port = 80
  tags             = { Name = "web" }
}

resource "aws_ec2_network_insights_analysis" "web" {
  network_insights_path_id = aws_ec2_network_insights_path.web.id
  wait_for_completion      = true
  depends_on               = [aws_eip_association.service, aws_route_table_association.public]
}

output "reachable" {
  value = aws_ec2_network_insights_analysis.web.path_found
}
