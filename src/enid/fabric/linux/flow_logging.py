"""Copies of the packets of logged interfaces, for whoever writes flow logs. Pure.

Only in a VPC that has a logged interface, and there one packet, one copy: it names the links the packet came by and
leaves by, and a letter says how far it got. It is taken at the end of the forward hook, where only what was accepted
arrives, and in the chains that drop.
"""

from __future__ import annotations

from enid.fabric.linux.names import TABLE
from enid.fabric.linux.ruleset import DENIALS, deny
from enid.netlink import expressions as nft
from enid.netlink.nftables import (
    ACCEPT,
    FORWARD,
    add_base_chain,
    add_chain,
    add_rule,
    delete_chain,
    flush_chain,
    insert_rule,
)

GROUP = 1
"""The log group, in each router's namespace."""
ACCEPTED, LEAVING, ARRIVING = "A", "L", "I"
"""Accepted; rejected where it leaves its sender (a gateway's packet: where it arrives); rejected where it arrives."""
_REJECTED = {
    "invalid": LEAVING,
    "network_acl_egress": LEAVING,
    "egress_denied": LEAVING,
    "network_acl_ingress": ARRIVING,
    "ingress_denied": ARRIVING,
}
_AFTER_THE_GATES = 10
_ACCEPTED_CHAIN = "flow_log"


def begin(number: int) -> list[bytes]:
    """:param number: the table's. It stands behind the letter: while a table and its successor both see a packet, the
    copies can be told apart."""
    accepted = add_base_chain(TABLE, _ACCEPTED_CHAIN, "filter", FORWARD, _AFTER_THE_GATES, ACCEPT)
    messages = [accepted, *_copy(_ACCEPTED_CHAIN, f"{ACCEPTED}{number}")]
    for letter in (LEAVING, ARRIVING):
        messages += [add_chain(TABLE, _chain(letter)), *_copy(_chain(letter), f"{letter}{number}")]
    return messages + [insert_rule(TABLE, denial, nft.jump(_chain(_REJECTED[denial]))) for denial in DENIALS]


def end() -> list[bytes]:
    """No copies any more."""
    messages = [step for denial in DENIALS for step in (flush_chain(TABLE, denial), deny(denial))]
    for chain in (_ACCEPTED_CHAIN, _chain(LEAVING), _chain(ARRIVING)):
        messages += [flush_chain(TABLE, chain), delete_chain(TABLE, chain)]
    return messages


def _chain(letter: str) -> str:
    return f"flow_log_{letter}"


def _copy(chain: str, prefix: str) -> list[bytes]:
    """One copy, whichever end is logged, or both; none of what is a copy already."""
    return [
        add_rule(TABLE, chain, nft.iifname(), nft.lookup_value("mirrors"), nft.returns()),
        add_rule(TABLE, chain, nft.iifname(), nft.lookup("logged"), nft.log(GROUP, prefix), nft.returns()),
        add_rule(TABLE, chain, nft.oifname(), nft.lookup("logged"), nft.log(GROUP, prefix)),
    ]
