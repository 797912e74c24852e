"""Amazon-provided DNS names: how they are made, and read again. Pure."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address


def private_suffix(region: str) -> str:
    """``.ec2.internal`` in us-east-1, ``.<region>.compute.internal`` elsewhere."""
    return ".ec2.internal" if region == "us-east-1" else f".{region}.compute.internal"


def public_suffix(region: str) -> str:
    """``.compute-1.amazonaws.com`` in us-east-1, ``.<region>.compute.amazonaws.com`` elsewhere."""
    return ".compute-1.amazonaws.com" if region == "us-east-1" else f".{region}.compute.amazonaws.com"


def private_name(region: str, ip: str) -> str:
    """``ip-10-0-1-5.ec2.internal``."""
    return f"{private_label(ip)}{private_suffix(region)}"


def private_label(ip: str) -> str:
    """``ip-10-0-1-5``."""
    return f"ip-{ip.replace('.', '-')}"


def public_name(region: str, ip: str) -> str:
    """``ec2-198-18-0-7.compute-1.amazonaws.com``."""
    return f"ec2-{ip.replace('.', '-')}{public_suffix(region)}"


def host_label(hostname_type: str, instance_id: str, ip: str) -> str:
    """The first part of an instance's host name: made of its address, or of its id (``resource-name``)."""
    return instance_id if hostname_type == "resource-name" else private_label(ip)


def address_of(label: str, prefix: str) -> IPv4Address | None:
    """The address in ``ip-10-0-1-5`` or ``ec2-198-18-0-7``; None when the label is no such."""
    head, _, rest = label.partition("-")
    try:
        return IPv4Address(rest.replace("-", ".")) if head == prefix else None
    except AddressValueError:
        return None
