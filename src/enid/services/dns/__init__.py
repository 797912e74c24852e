"""The VPC's resolver."""
