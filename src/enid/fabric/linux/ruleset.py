"""The fixed part of a VPC's nftables table: its chains, sets and counters. Pure.

A packet's way: ``source`` (is the sender who it says?) → conntrack → ``forward``: a tracked flow passes, a ``new`` one
goes through the sender's egress gate, then through the receiver's ingress gate. What varies with ports and groups is
in sets and maps (:mod:`ports`) and in the chains of groups (:mod:`groups`).
"""

from __future__ import annotations

from collections.abc import Mapping

from enid.fabric.linux import solicitations
from enid.fabric.linux.names import INTERNET, PORT, TABLE, TRANSIT, UPPER
from enid.netlink import expressions as nft
from enid.netlink.conntrack import CUT
from enid.netlink.nftables import (
    ACCEPT,
    CATCH_ALL,
    CONTINUE,
    ETHER,
    FORWARD,
    GOTO,
    IFNAME,
    INPUT,
    IPV4,
    IPV6,
    JUMP,
    MARK,
    OUTPUT,
    POSTROUTING,
    PREROUTING,
    PROTOCOL,
    SERVICE,
    VERDICT,
    Data,
    Key,
    Set,
    Verdict,
    add_base_chain,
    add_chain,
    add_counter,
    add_elements,
    add_rule,
    add_set,
    add_table,
    delete_chain,
    flush_chain,
    ifname,
)
from enid.topology.blocks import DELEGATED_LENGTH
from enid.topology.services import DHCP, RATE, UDP

DROPS = {
    "spoof": "the source address or MAC is not the sender's",
    "invalid": "the packet belongs to no flow and begins none",
    "network_acl_egress": "the network ACL of the sender's subnet denies it",
    "network_acl_ingress": "the network ACL of the receiver's subnet denies it",
    "egress_denied": "no security group of the sender allows it",
    "ingress_denied": "no security group of the receiver allows it",
    "no_route": "the route table has no route, or one that leads nowhere, or nobody has the address",
    "no_public_address": "to or from the internet without a public address",
    "between_gateways": "from one gateway to another, which a VPC does not carry",
    "beyond_peer": "to a peered VPC, which has no such address, or not from the VPC's own: it carries nothing further",
    "to_router": "for the router itself, and for none of the services it has",
    "too_fast": "for the router's services, and more than they take from one interface",
}
"""Counters of dropped packets, and what they mean."""
DENIALS = ("invalid", "network_acl_egress", "network_acl_ingress", "egress_denied", "ingress_denied")
"""Those of them that are the word of a security group or a network ACL: each has a chain of its name, for flow logs to
look in."""

SETS = (
    Set("spoof4", (IFNAME, IPV4), MARK),
    Set("spoof6", (IFNAME, IPV6), MARK),
    Set("unchecked", (IFNAME,), MARK),
    Set("middles", (IFNAME,)),
    Set("own4", (IPV4,)),
    Set("own6", (IPV6,)),
    Set("delegated4", (IFNAME, IPV4), MARK),
    Set("delegated6", (IFNAME, IPV6), MARK),
    Set("macs", (IFNAME, ETHER)),
    Set("outside", (IFNAME,)),
    Set("logged", (IFNAME,)),
    Set("mirrors", (IFNAME,), MARK),
    Set("blocks4", (IPV4,), interval=True),
    Set("blocks6", (IPV6,), interval=True),
    Set("peers4", (IFNAME, IPV4), interval=True),
    Set("peers6", (IFNAME, IPV6), interval=True),
    Set("peer_mark", (IFNAME,), MARK),
    Set("peer_flows", (IFNAME, MARK)),
    Set("combination", (IFNAME,), MARK),
    Set("subnet", (IFNAME,), MARK),
    Set("beside", (IFNAME, MARK)),
    Set("acl_egress", (MARK,), VERDICT),
    Set("acl_ingress", (MARK,), VERDICT),
    Set("egress", (MARK,), VERDICT),
    Set("ingress", (MARK,), VERDICT),
    Set("public", (IPV4,)),
    Set("public_of", (IPV4,), IPV4),
    Set("private_of", (IPV4,), IPV4),
    Set("table_of", (IFNAME,), MARK),
    Set("gateway_table", (IFNAME,), MARK),
    Set("open6", (MARK,)),
    Set("services4", (IPV4, PROTOCOL, SERVICE)),
    Set("services6", (IPV6, PROTOCOL, SERVICE)),
    Set("service_rate", (IFNAME,), meter=True),
)
"""``spoof``: who may send from what, and the mark of its route table. ``unchecked``: the same for ports whose source
check is off; ``middles``: the links that routes lead to; ``own``: the router's addresses, which these may not pretend
to have. ``delegated``: the same as ``spoof``, by the first address of a prefix. ``macs``: the MAC behind each link.
``outside``: the links to gateways. ``logged``: those with a flow log.
``mirrors``: the links that copies of mirrored packets come by, and the mark of the
route table they go by. ``blocks``: the VPC's. ``peers``: the addresses behind each link to a peered VPC;
``peer_mark``: the mark of the flows over such a link, and ``peer_flows`` the same as pairs.
``public``: private addresses that have one. ``combination``: the number of the groups a link's port carries;
``egress`` and ``ingress``: the chains of a number. ``table_of``: the route table of a link's port with IPv6, and
``open6`` the route tables whose IPv6 goes out through the internet gateway. ``gateway_table``: the mark of the route
table that what comes in by a gateway's link obeys. ``subnet``: the number of a link's subnet;
``beside``: the same pairs, to ask whether a link is in a subnet; ``acl_egress`` and ``acl_ingress``: the chains of a
subnet's number, if it has a network ACL that denies something (:mod:`network_acls`). ``services``: where the router
answers."""

VIA_INTERNET, VIA_VPN, NO_GROUPS, VIA_PEERING = (number.to_bytes(4, "little") for number in (1, 2, 3, 4))
"""Gateways and peers in place of a combination, and ports that groups do not apply to."""
_ICMP_UNREACHABLE = {4: (3, (0, 1)), 6: (1, (0, 3))}
_NEIGHBOUR_DISCOVERY = (135, 136)
_RUNNING = nft.ct_status_is(nft.CONFIRMED, nft.CONFIRMED | CUT)
"""Both gates have let the flow's first packet pass, and no change of their rules has cut it since (:mod:`cuts`)."""
_APART = 1
"""The conntrack zone of flows that ports begin under addresses of others."""
_TOLD_BY_ROUTERS = ((4, 3, 4), (4, 11, 0), (4, 11, 1), (6, 2, 0), (6, 3, 0), (6, 3, 1))
"""IP version, ICMP type and code of: too big, took too long."""
_BEFORE_FRAGMENTS = -450
"""Are put together: the kernel's NF_IP_PRI_RAW_BEFORE_DEFRAG."""
_LINK_LOCAL4 = bytes((169, 254, 0, 0))


def prefix_mask(version: int) -> bytes:
    """What leaves of an address the prefix it would lie in."""
    bits = 32 if version == 4 else 128
    length = DELEGATED_LENGTH[version]
    return ((1 << length) - 1 << bits - length).to_bytes(bits // 8, "big")


_ASKS_FOR_A_LEASE = (
    nft.version(4)
    + nft.source(4)
    + nft.equal(bytes(4))
    + nft.destination(4)
    + nft.equal(b"\xff" * 4)
    + nft.l4proto()
    + nft.equal(bytes((UDP,)))
    + nft.dport()
    + nft.equal(DHCP.to_bytes(2, "big")),
)
"""A guest that has no address yet."""


def _drop(reason: str) -> bytes:
    return nft.count(reason) + nft.drop()


def _rule(chain: str, *expressions: bytes) -> bytes:
    return add_rule(TABLE, chain, *expressions)


def _source() -> list[bytes]:
    """Who may send from which address; before conntrack, so that a forged packet costs nothing more, and before it puts
    fragments together: it would take a forged piece for one of the packet it pretends to belong to."""
    own = [
        _rule(
            "source",
            nft.version(version),
            nft.iifname(),
            nft.source(version, nft.FIELD + 4),
            nft.lookup_value(f"spoof{version}"),
            nft.set_mark(),
            nft.accept(),
        )
        for version in (4, 6)
    ]
    # Every prefix of a family has one length, so what is looked up is an address with the rest of its bits cleared.
    delegated = [
        _rule(
            "source",
            nft.version(version),
            nft.iifname(),
            nft.source(version, nft.FIELD + 4),
            nft.masked(prefix_mask(version), nft.FIELD + 4),
            nft.lookup_value(f"delegated{version}"),
            nft.set_mark(),
            nft.accept(),
        )
        for version in (4, 6)
    ]
    pretending = [
        _rule(
            "outside_source", nft.version(version), nft.source(version), nft.lookup(f"blocks{version}"), _drop("spoof")
        )
        for version in (4, 6)
    ]
    peers = [
        _rule(
            "source",
            nft.version(version),
            nft.iifname(),
            nft.source(version, nft.FIELD + 4),
            nft.lookup(f"peers{version}"),
            nft.set_mark(TRANSIT),
            nft.accept(),
        )
        for version in (4, 6)
    ]
    return [
        add_chain(TABLE, "outside_source"),
        *pretending,
        _rule("outside_source", nft.iifname(), nft.lookup_value("gateway_table"), nft.set_mark(), nft.accept()),
        _rule("outside_source", nft.accept()),
        *_unchecked_source(),
        add_base_chain(TABLE, "source", "filter", PREROUTING, _BEFORE_FRAGMENTS, ACCEPT),
        *own,
        _rule("source", nft.iifname(), nft.lookup("outside"), nft.goto("outside_source")),
        _rule("source", *_ASKS_FOR_A_LEASE, nft.accept()),
        # The kernel would learn from a solicitation who says that it is the gateway.
        _rule("source", nft.version(6), nft.source(6), nft.equal(UPPER[6].packed), _drop("spoof")),
        *solicitations.admitted("source"),
        *delegated,
        _rule("source", nft.iifname(), nft.lookup_value("unchecked"), nft.set_mark(), nft.goto("unchecked_source")),
        *peers,
        _rule("source", nft.version(6), solicitations.FROM_LINK, nft.accept()),
        # Duplicate address detection is not needed.
        _rule("source", nft.version(6), nft.source(6), nft.equal(bytes(16)), nft.drop()),
        _rule("source", nft.version(4), nft.source(4), nft.equal(bytes(4)), nft.drop()),
        # Not tracked: to whom a copy is sent from, an answer is nothing it asked for.
        _rule("source", nft.iifname(), nft.lookup_value("mirrors"), nft.set_mark(), nft.notrack(), nft.accept()),
        _rule("source", _drop("spoof")),
    ]


def _unchecked_source() -> list[bytes]:
    """A port whose source check is off may send from any address but the router's and its services', or it could answer
    for them, and link-local ones, which no router forwards (RFC 3927, 7). Unless a guest that translates passes on what
    the router told it about a packet: whether that belongs to a flow is for conntrack to say.

    Under an address of the VPC's that is not its own it begins flows that are tracked apart: the port that has the
    address did not begin them, and its groups judge what looks like a reply. Not so where a route leads to the port:
    what others send comes by there, replies too.
    """
    pretending = [nft.version(v) + nft.source(v) + nft.lookup(f"own{v}") for v in (4, 6)]
    borrowed = [nft.version(v) + nft.source(v) + nft.lookup(f"blocks{v}") for v in (4, 6)]
    link_local = nft.version(4) + nft.source(4) + nft.masked(b"\xff\xff\0\0") + nft.equal(_LINK_LOCAL4)
    return [
        *(add_chain(TABLE, name) for name in ("as_router", "unchecked_source")),
        *(_rule("as_router", nft.icmp_type(*told), nft.accept()) for told in _TOLD_BY_ROUTERS),
        _rule("as_router", _drop("spoof")),
        *(_rule("unchecked_source", source, nft.goto("as_router")) for source in (*pretending, link_local)),
        _rule("unchecked_source", nft.iifname(), nft.lookup("middles"), nft.accept()),
        *(_rule("unchecked_source", source, nft.set_ct_zone(_APART)) for source in borrowed),
        _rule("unchecked_source", nft.accept()),
    ]


def _forward() -> list[bytes]:
    """A tracked flow first. Only what both gates let pass is ever confirmed, so its packets, and ICMP errors about it
    (which conntrack shows as the flow's own), need no further look. A packet without a flow has no status to match, and
    those of a flow that was cut are judged one by one, whichever way they go."""
    return [
        add_base_chain(TABLE, "forward", "filter", FORWARD, 0, ACCEPT),
        _rule("forward", nft.mark(TRANSIT), nft.goto("transit")),
        _rule("forward", _RUNNING, nft.accept()),
        _rule("forward", nft.goto("new")),
        _rule("new", nft.ct_state(nft.INVALID), nft.goto("invalid")),
        # Only new flows: nothing is ever sent to a MAC that was learnt, so a forged one gains nothing, and looking at
        # every packet's costs a tenth of the router.
        _rule("new", nft.iifname(), nft.ether_source(nft.FIELD + 4), nft.lookup_missing("macs"), _drop("spoof")),
        # A chain of "egress" returns if it allows. What no map knows meets the catch-all elements.
        # The route is chosen by now, so the mark is free to carry the number.
        _rule("new", nft.iifname(), nft.lookup_value("combination"), nft.set_mark()),
        _rule("new", nft.meta_mark(), nft.lookup_verdict("egress")),
        _rule("new", nft.oifname(), nft.lookup_value("combination"), nft.set_mark()),
        _rule("new", nft.meta_mark(), nft.lookup_verdict("ingress")),
        _rule("new", nft.drop()),
    ]


def _unknown() -> list[bytes]:
    """What is in no map must be dropped too, not fall through a gate: 0 stands for it."""
    gates: list[tuple[str, list[tuple[Key, Data]]]] = [
        ("combination", [(CATCH_ALL, bytes(4))]),
        (
            "egress",
            [
                (CATCH_ALL, Verdict(GOTO, "egress_denied")),
                (Key(VIA_INTERNET), Verdict(JUMP, "from_internet")),
                (Key(VIA_VPN), Verdict(JUMP, "inward")),
                (Key(NO_GROUPS), Verdict(CONTINUE)),
                (Key(VIA_PEERING), Verdict(JUMP, "inward")),
            ],
        ),
        (
            "ingress",
            [
                (CATCH_ALL, Verdict(GOTO, "ingress_denied")),
                (Key(VIA_INTERNET), Verdict(GOTO, "to_internet")),
                (Key(VIA_VPN), Verdict(ACCEPT)),
                (Key(NO_GROUPS), Verdict(ACCEPT)),
                (Key(VIA_PEERING), Verdict(GOTO, "to_peer")),
            ],
        ),
    ]
    return [message for name, elements in gates for message in add_elements(TABLE, name, elements)]


def deny(denial: str) -> bytes:
    """The rule that ends the chain of a denial."""
    return _rule(denial, _drop(denial))


def _transit() -> list[bytes]:
    """What an appliance passes on. It may be the second passage of a flow the first one confirmed, and must be gated
    again; unless it answers that flow, or the flow began here (conntrack mark 1). What is tracked apart all began here,
    and has no replies."""
    return [
        _rule("apart", _RUNNING, nft.ct_reply(False), nft.accept()),
        _rule("apart", nft.goto("new")),
        _rule("transit", nft.iifname(), nft.lookup_value("peer_mark"), nft.goto("crossing")),
        _rule("transit", nft.ct_zone(_APART), nft.goto("apart")),
        _rule("transit", nft.ct_state(nft.RELATED), nft.accept()),
        _rule("transit", _RUNNING, nft.ct_reply(), nft.accept()),
        _rule("transit", _RUNNING, nft.ct_mark(1), nft.accept()),
        _rule("transit", nft.ct_state(nft.NEW), nft.set_ct_mark(1)),
        _rule("transit", nft.goto("new")),
    ]


def _crossing() -> list[bytes]:
    """What comes from a peer. Two peers may have the same addresses, so a flow belongs to the link it goes over: what
    looks like a part of it and comes over another is none. (Of two such flows at once, the later one waits.)"""
    own = nft.iifname() + nft.load_ct_mark(nft.FIELD + 4) + nft.lookup("peer_flows")
    return [
        _rule("crossing", _RUNNING, own, nft.accept()),
        _rule("crossing", _RUNNING, nft.goto("invalid")),
        _rule("crossing", nft.iifname(), nft.lookup_value("peer_mark"), nft.set_ct_mark()),
        _rule("crossing", nft.goto("new")),
    ]


def _gateways() -> list[bytes]:
    """What stands in place of security groups at the links to the internet, to VPNs and to peers.

    An IPv6 address is as good as private unless its replies would leave through the internet gateway: through the
    egress-only one nobody comes in.
    """
    public6 = nft.version(6) + nft.oifname() + nft.lookup_value("table_of") + nft.lookup("open6")
    inside = {v: nft.version(v) + nft.destination(v) + nft.lookup(f"blocks{v}") + nft.returns() for v in (4, 6)}
    beyond = [
        _rule(
            "to_peer",
            nft.version(v),
            nft.source(v),
            nft.lookup(f"blocks{v}"),
            nft.oifname(),
            nft.destination(v, nft.FIELD + 4),
            nft.lookup(f"peers{v}"),
            nft.accept(),
        )
        for v in (4, 6)
    ]
    return [
        _rule("from_internet", nft.version(4), nft.destination(4), nft.lookup("public"), nft.returns()),
        _rule("from_internet", public6, nft.returns()),
        _rule("from_internet", _drop("no_public_address")),
        _rule("to_internet", nft.version(4), nft.source(4), nft.lookup("public"), nft.accept()),
        _rule("to_internet", nft.version(6), nft.source(6), nft.lookup("blocks6"), nft.accept()),
        _rule("to_internet", _drop("no_public_address")),
        _rule("inward", inside[4]),
        _rule("inward", inside[6]),
        _rule("inward", _drop("between_gateways")),
        _rule("to_peer", nft.oifname(), nft.lookup_value("peer_mark"), nft.set_ct_mark()),
        *beyond,
        _rule("to_peer", _drop("beyond_peer")),
    ]


def _router() -> list[bytes]:
    """The router itself answers neighbour discovery and what the VPC's own interfaces ask its services, from addresses
    of their own. That a destination is unreachable it says to itself only: AWS is silent, and here the packet is
    counted."""
    unreachable = [
        _rule("output", nft.icmp_type(version, kind, code), _drop("no_route"))
        for version, (kind, codes) in _ICMP_UNREACHABLE.items()
        for code in codes
    ]
    return [
        add_base_chain(TABLE, "input", "filter", INPUT, 0, ACCEPT),
        *(_rule("input", nft.icmp_type(6, kind, 0), nft.accept()) for kind in _NEIGHBOUR_DISCOVERY),
        _rule("input", *_ASKS_FOR_A_LEASE, nft.iifname(), nft.lookup_missing("outside"), nft.goto("asked")),
        *solicitations.asked("input"),
        _rule("input", nft.for_many(), nft.drop()),
        _rule("input", nft.mark_is(PORT, PORT | TRANSIT), nft.goto("asked")),
        _rule("input", _drop("to_router")),
        _rule("asked", nft.iifname(), nft.over_rate("service_rate", RATE), _drop("too_fast")),
        _rule("asked", *_ASKS_FOR_A_LEASE, nft.accept()),
        *solicitations.answered("asked", _drop("spoof"), _drop("to_router")),
        *(_rule("asked", _service(version), nft.accept()) for version in (4, 6)),
        _rule("asked", _drop("to_router")),
        add_base_chain(TABLE, "output", "filter", OUTPUT, 0, ACCEPT),
        _rule("output", nft.oifname(), nft.lookup_value("mirrors"), nft.accept()),
        *unreachable,
    ]


def _service(version: int) -> bytes:
    """The packet is for an address and a port in ``services``."""
    place = nft.FIELD + (1 if version == 4 else 4)
    key = nft.destination(version) + nft.l4proto(place) + nft.dport(place + 1)
    return nft.version(version) + key + nft.lookup(f"services{version}")


def skeleton(counters: Mapping[str, int]) -> list[bytes]:
    """A table of its own, beside any older one.

    No base chain has the policy to drop; each ends with a rule that does. For when a table's base chains are deleted
    (see :mod:`gates`) they stand in the way without a rule for some microseconds, and a policy of theirs would drop
    what passes just then.

    ``counters``: what the drop counters start from.
    """
    judging = ("new", "transit", "from_internet", "to_internet", "inward", "to_peer", "crossing", "apart", "asked")
    chains = (*judging, "to_private", "to_public")
    return [
        add_table(TABLE),
        *(add_counter(TABLE, reason, counters.get(reason, 0)) for reason in DROPS),
        *(add_set(TABLE, declared) for declared in SETS),
        *(add_chain(TABLE, name) for name in (*chains, *DENIALS)),
        *(deny(denial) for denial in DENIALS),
        *_source(),
        *_forward(),
        *_transit(),
        *_crossing(),
        *_gateways(),
        *_translated(),
        *_router(),
        *_unknown(),
    ]


def translation() -> list[bytes]:
    """Public addresses, one to one and without a memory, as an internet gateway has it: before conntrack sees what
    comes in, and after it has seen what goes out. So a flow is one flow wherever in the VPC it is met, also on its way
    to and from an appliance that passes it on as it is.

    Only in a VPC with an internet gateway: these hooks cost every packet.
    """
    incoming, outgoing = (end + nft.equal(ifname(INTERNET)) for end in (nft.iifname(), nft.oifname()))
    return [
        add_base_chain(TABLE, "public_in", "filter", PREROUTING, -290, ACCEPT),
        _rule("public_in", incoming, nft.version(4), nft.jump("to_private")),
        add_base_chain(TABLE, "public_out", "filter", POSTROUTING, 100, ACCEPT),
        _rule("public_out", outgoing, nft.version(4), nft.jump("to_public")),
    ]


def _translated() -> list[bytes]:
    """What both directions do, errors about a packet that went the other way included."""
    result = []
    for chain, inward, addresses in (("to_private", True, "private_of"), ("to_public", False, "public_of")):
        address = nft.destination(4) if inward else nft.source(4)
        there, back = nft.lookup_value(addresses), not inward
        result += [
            _rule(chain, nft.quoted(destination=back), there, nft.rewrite_quoted(destination=back)),
            _rule(chain, address, there, nft.rewrite(destination=inward), nft.returns()),
        ]
    # A flow that had a public address when it began.
    return [*result, _rule("to_public", nft.source(4), nft.lookup("blocks4"), _drop("no_public_address"))]


def no_translation() -> list[bytes]:
    return [step(TABLE, chain) for chain in ("public_in", "public_out") for step in (flush_chain, delete_chain)]
