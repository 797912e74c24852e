"""The Linux driver: a router namespace per VPC, veth pairs, routes, nftables sets."""
