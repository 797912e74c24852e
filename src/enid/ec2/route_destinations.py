"""Where the packets of a route go to: a block, or every block of a prefix list."""

from __future__ import annotations

from typing import NamedTuple

from enid.ec2 import cidr, prefix_list_entries
from enid.ec2.context import Context, Params
from enid.ec2.errors import invalid_parameter_combination, missing_parameter
from enid.ec2.resources import fetch

_MEMBERS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")


class Destination(NamedTuple):
    """``text`` is as the ``routes`` table has it: a canonical block, or pl-…"""

    text: str
    version: int
    blocks: tuple[cidr.Network, ...]
    """Of a prefix list: those of its newest version, which further ones may follow."""

    def __str__(self) -> str:
        return self.text


def parse(ctx: Context, params: Params) -> Destination:
    """The one destination the request names.

    :raises AwsError: none or several, or a prefix list that does not exist.
    """
    given = [name for name in _MEMBERS if params.get(name)]
    if not given:
        raise missing_parameter("destinationCidrBlock, destinationIpv6CidrBlock or destinationPrefixListId")
    if len(given) > 1:
        raise invalid_parameter_combination("Only one destination may be specified for a route.")
    name, text = given[0], params[given[0]]
    if name == "DestinationPrefixListId":
        row = fetch(ctx, "pl", text)
        blocks = map(cidr.parse, prefix_list_entries.current(ctx, row.id))
        return Destination(row.id, 4 if row.address_family == "IPv4" else 6, tuple(filter(None, blocks)))
    block = cidr.ipv4(text, "destinationCidrBlock") if name == _MEMBERS[0] else cidr.ipv6(text, _MEMBERS[1])
    return Destination(str(block), block.version, (block,))
