"""How long idle flows of a port are remembered, where its interface says so. Pure.

A specification is an object of the kernel's per protocol, and a map leads from a link to it. A flow is given its
timeouts with its first packet: those of the interface it comes from, and then those of the one it goes to, which
therefore count where both have some. A VPC in which nobody asks for timeouts has nothing of this, and the kernel's own
(which are AWS's) hold.
"""

from __future__ import annotations

from collections.abc import Iterator

from enid.fabric.linux.groups import Element
from enid.fabric.linux.names import TABLE, port_link
from enid.netlink import expressions as nft
from enid.netlink.nftables import (
    CT_TIMEOUT,
    IFNAME,
    Key,
    Object,
    Set,
    add_chain,
    add_ct_timeout,
    add_rule,
    add_set,
    ifname,
    insert_rule,
)
from enid.topology.records import Port, Timeouts

_TCP, _UDP = 6, 17
_ESTABLISHED = 3
"""The state of TCP whose timeout AWS lets one set."""
_UNREPLIED, _REPLIED = 1, 2
"""The states of UDP: no stream yet, and a stream."""
_MAPS = {_TCP: "tcp_timeouts", _UDP: "udp_timeouts"}
_DEFAULT = Timeouts()


def structure() -> list[bytes]:
    """What the first port with timeouts needs: a look into the maps at the beginning of every flow."""
    rules = [
        add_rule(TABLE, "timeouts", nft.l4proto(), nft.equal(bytes((protocol,))), device(), nft.assign(name))
        for device in (nft.iifname, nft.oifname)
        for protocol, name in _MAPS.items()
    ]
    return [
        *(add_set(TABLE, Set(name, (IFNAME,), objects=CT_TIMEOUT)) for name in _MAPS.values()),
        add_chain(TABLE, "timeouts"),
        *rules,
        insert_rule(TABLE, "new", nft.jump("timeouts")),
    ]


def wanted(timeouts: Timeouts) -> dict[int, str]:
    """The names of the objects by protocol, where the specification is not the default."""
    found = {}
    if timeouts.tcp_established != _DEFAULT.tcp_established:
        found[_TCP] = f"tcp_{timeouts.tcp_established}"
    if (timeouts.udp, timeouts.udp_stream) != (_DEFAULT.udp, _DEFAULT.udp_stream):
        found[_UDP] = f"udp_{timeouts.udp}_{timeouts.udp_stream}"
    return found


def declare(protocol: int, name: str, timeouts: Timeouts) -> bytes:
    """The object of this name."""
    if protocol == _TCP:
        return add_ct_timeout(TABLE, name, _TCP, {_ESTABLISHED: timeouts.tcp_established})
    return add_ct_timeout(TABLE, name, _UDP, {_UNREPLIED: timeouts.udp, _REPLIED: timeouts.udp_stream})


def elements(port: Port) -> Iterator[Element]:
    """From the port's link to what it wants."""
    for protocol, name in wanted(port.timeouts).items():
        yield (_MAPS[protocol], Key(ifname(port_link(port.attachment_id)))), Object(name)
