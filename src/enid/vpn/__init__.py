"""VPN connections as IPsec tunnels: strongSwan at both ends, started, told what to do, and listened to."""
