"""Ports as the reconciler hands them to a guest."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from enid.topology.records import Port, Subnet


def port(index: int, block: str, *addresses: str, block6: str = "", eni: str = "", card: int = 0) -> Port:
    """Interface ``index`` of an instance: its subnet's block and its addresses, primary first."""
    blocks = tuple(ip_network(each) for each in (block, block6) if each)
    return Port(
        id=eni or f"eni-{index}",
        attachment_id=f"eni-attach-{index}",
        vpc_id="vpc-1",
        subnet=Subnet(f"subnet-{index}", blocks),
        route_table_id="rtb-1",
        host="host-1",
        instance_id="i-aaaa",
        boot=1,
        device_index=index,
        network_card_index=card,
        mac=f"02:00:00:00:00:{index:02x}",
        addresses=tuple(ip_address(each) for each in addresses),
        groups=(),
        source_dest_check=True,
    )
