"""Lines of a flow log, by its format. Pure.

See https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html. A field without a value is ``-``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address

from enid import flow_log_format
from enid.flowlogs.header import TCP
from enid.flowlogs.subjects import FlowLog, Interface
from enid.flowlogs.window import Count, Sighting

NODATA, SKIPDATA = "NODATA", "SKIPDATA"


def wants(log: FlowLog, seen: Sighting) -> bool:
    """The log is for this kind of traffic."""
    return log.traffic_type in ("ALL", "ACCEPT" if seen.accepted else "REJECT")


def flow(log: FlowLog, interface: Interface, seen: Sighting, count: Count, region: str) -> str:
    """The record of a flow."""
    source, destination = _text(seen.source), _text(seen.destination)
    own = _own(interface, seen.source if seen.egress else seen.destination)
    values = {
        "srcaddr": own if seen.egress else source,
        "dstaddr": destination if seen.egress else own,
        "pkt-srcaddr": source,
        "pkt-dstaddr": destination,
        "srcport": str(seen.source_port),
        "dstport": str(seen.destination_port),
        "protocol": str(seen.protocol),
        "packets": str(count.packets),
        "bytes": str(count.bytes),
        "action": "ACCEPT" if seen.accepted else "REJECT",
        "tcp-flags": str(count.flags if seen.protocol == TCP else 0),
        "type": "IPv4" if len(seen.source) == 4 else "IPv6",
        "flow-direction": "egress" if seen.egress else "ingress",
        "traffic-path": seen.path,
    }
    return _line(log, interface, region, values, count.first, count.last, "OK")


def nothing(log: FlowLog, interface: Interface, region: str, start: int, end: int, status: str) -> str:
    """A record without a flow: there was none (``NODATA``), or some were missed (``SKIPDATA``)."""
    return _line(log, interface, region, {}, start, end, status)


def _line(
    log: FlowLog, interface: Interface, region: str, values: Mapping[str, str], start: int, end: int, status: str
) -> str:
    found = {
        "version": str(flow_log_format.version(log.fields)),
        "account-id": interface.account_id,
        "interface-id": interface.id,
        "vpc-id": interface.vpc_id,
        "subnet-id": interface.subnet_id,
        "instance-id": interface.instance_id,
        "az-id": interface.zone_id,
        "region": region,
        "start": str(start),
        "end": str(end),
        "log-status": status,
        **values,
    }
    return " ".join(found.get(name, "-") for name in log.fields)


def _own(interface: Interface, address: bytes) -> str:
    """The interface's own end of a flow: its primary IPv4 address, whichever it uses; of IPv6 the one it uses."""
    family = [own for own in interface.addresses if len(own) == len(address)]
    if not family or (len(address) == 16 and address in family):
        return _text(address)
    return _text(family[0])


@lru_cache(maxsize=65536)
def _text(address: bytes) -> str:
    return str(ip_address(address))
