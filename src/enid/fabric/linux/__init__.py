"""The Linux driver: a router namespace per VPC, veth pairs, routes, nftables sets."""

from enid.fabric.linux.fabric import LinuxFabric

__all__ = ["LinuxFabric"]
