"""What an instance is told of its interface over IPv6: router advertisements, and leases by DHCPv6."""
