"""Amazon-provided DNS names of IPv4 addresses, and which of them a VPC's attributes let its interfaces have."""

from __future__ import annotations


def private_suffix(region: str) -> str:
    """``.ec2.internal`` in us-east-1, ``.<region>.compute.internal`` elsewhere."""
    return ".ec2.internal" if region == "us-east-1" else f".{region}.compute.internal"


def public_suffix(region: str) -> str:
    """``.compute-1.amazonaws.com`` in us-east-1, ``.<region>.compute.amazonaws.com`` elsewhere."""
    return ".compute-1.amazonaws.com" if region == "us-east-1" else f".{region}.compute.amazonaws.com"


def private_name(region: str, ip: str) -> str:
    """``ip-10-0-1-5.ec2.internal``."""
    return f"ip-{ip.replace('.', '-')}{private_suffix(region)}"


def public_name(region: str, ip: str) -> str:
    """``ec2-198-18-0-7.compute-1.amazonaws.com``."""
    return f"ec2-{ip.replace('.', '-')}{public_suffix(region)}"
