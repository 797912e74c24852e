# A web server with one interface in each subnet, and a plain instance beside it.

data "aws_ami" "sandbox" {
  owners      = ["amazon"]
  most_recent = true

  filter {
    name   = "name"
    values = ["enid/*"]
  }
}

variable "public_key" {
  description = "In the form of an authorized_keys line."
  type        = string
}

variable "service_addresses" {
  description = "Addresses of the public interface, the primary one first."
  type        = list(string)
  default     = ["10.0.1.10", "10.0.1.11"]
}

resource "aws_key_pair" "administrator" {
  key_name   = "administrator"
  public_key = var.public_key
}

resource "aws_network_interface" "public" {
  subnet_id               = aws_subnet.public.id
  description             = "web-1, public side"
  private_ip_list_enabled = true
  private_ip_list         = var.service_addresses
  security_groups         = [aws_security_group.web.id]
  tags                    = { Name = "web-1 public" }
}

resource "aws_network_interface" "management" {
  subnet_id         = aws_subnet.management.id
  description       = "web-1, management side"
  private_ips       = ["10.0.2.10", "10.0.2.11"]
  security_groups   = [aws_security_group.management.id]
  source_dest_check = false
}

resource "aws_instance" "web" {
  ami           = data.aws_ami.sandbox.id
  instance_type = "t3.medium"
  key_name      = aws_key_pair.administrator.key_name
  user_data     = "#!/bin/sh\necho web-1 >/etc/motd\n"

  network_interface {
    device_index         = 0
    network_interface_id = aws_network_interface.public.id
  }
  tags = { Name = "web-1" }
}

resource "aws_network_interface_attachment" "management" {
  instance_id          = aws_instance.web.id
  network_interface_id = aws_network_interface.management.id
  device_index         = 1
}

resource "aws_instance" "peer" {
  ami                    = data.aws_ami.sandbox.id
  instance_type          = "t3.small"
  subnet_id              = aws_subnet.public.id
  vpc_security_group_ids = [aws_security_group.web.id, aws_security_group.management.id]
  private_ip             = "10.0.1.50"
  secondary_private_ips  = ["10.0.1.51"]

  metadata_options {
    http_tokens = "required"
  }
  tags = { Name = "peer" }
}

resource "aws_eip" "service" {
  for_each   = toset(var.service_addresses)
  domain     = "vpc"
  tags       = { Name = each.value }
  depends_on = [aws_internet_gateway.main]
}

resource "aws_eip_association" "service" {
  for_each             = toset(var.service_addresses)
  allocation_id        = aws_eip.service[each.value].id
  network_interface_id = aws_network_interface.public.id
  private_ip_address   = each.value
  depends_on           = [aws_instance.web] # a pending instance's interface takes no Elastic IP, as on AWS
}

resource "aws_eip" "peer" {
  domain                    = "vpc"
  network_interface         = aws_instance.peer.primary_network_interface_id
  associate_with_private_ip = "10.0.1.51"
  depends_on                = [aws_internet_gateway.main]
}

output "account" {
  value = data.aws_caller_identity.me.account_id
}

output "addresses" {
  value = { for address, eip in aws_eip.service : address => eip.public_ip }
}

output "web" {
  value = {
    id         = aws_instance.web.id
    private_ip = aws_instance.web.private_ip
    attachment = aws_network_interface_attachment.management.attachment_id
  }
}
