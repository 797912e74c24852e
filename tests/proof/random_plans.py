"""Networks at random, of the kind people build and of the kind nobody should: from a seed, always the same one."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from itertools import combinations
from random import Random

from aws_plan import (
    Acl,
    Entry,
    Group,
    Interface,
    Peering,
    Permission,
    Plan,
    PrefixList,
    Route,
    Subnet,
    Table,
    Vpc,
    named,
)

PORTS = (1, 22, 53, 80, 443, 1023, 1024, 8080, 32767, 65535)
TYPES = {4: ((8, 0), (13, 0)), 6: ((128, 0),)}
"""ICMP types and codes that begin a flow, and are answered."""
FAR = ("192.168.7.7", "198.51.100.7", "2001:db8:ffff::7")
"""Nobody's addresses, to be routed to interfaces that take them."""
_EVERYBODY = ("0.0.0.0/0", "::/0")


class Draw:
    """What is drawn along the way of one plan."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.tag = f"{seed & 0xFFFFFFF:07x}"
        self.addresses: list[str] = []
        """All there are, to make blocks of."""

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def id(self, kind: str, number: int) -> str:
        return f"{kind}-{self.tag}{number:010x}"

    def block(self) -> str:
        if self.chance(0.25):
            return self.random.choice(_EVERYBODY)
        address = self.random.choice([*self.addresses, *FAR])
        six = ":" in address
        lengths = (0, 1, 32, 56, 64, 126, 127, 128) if six else (0, 1, 8, 15, 16, 24, 29, 30, 31, 32)
        length = self.random.choice(lengths) if self.chance(0.8) else self.random.randint(0, 128 if six else 32)
        return str(ip_network(f"{address}/{length}", strict=False))

    def ports(self) -> tuple[int, int]:
        edges = [edge for port in PORTS for edge in (port - 1, port, port + 1) if 0 <= edge <= 65535]
        kind = self.random.random()
        if kind < 0.3:
            return 0, 65535
        if kind < 0.5:
            return (port := self.random.choice(PORTS)), port
        first, last = sorted((self.random.choice(edges), self.random.choice(edges)))
        return first, last

    def icmp(self, version: int) -> tuple[int, int]:
        kind, code = self.random.choice((*TYPES[version], (TYPES[version][0][0], 1), (3, 4)))
        return self.random.choice(((-1, -1), (kind, -1), (kind, code)))


def some_plan(seed: int) -> Plan:
    """Two VPCs or three, which may overlap or be peers, and everything in them."""
    draw = Draw(seed)
    nets = ["10.0", draw.random.choice(("10.0", "172.16", "172.16")), draw.random.choice(("10.0", "172.20"))]
    vpcs, subnets, interfaces = [], [], []
    for number, net in enumerate(nets if draw.chance(0.3) else nets[:2]):
        six = draw.chance(0.8)
        blocks = (f"{net}.0.0/16", *((f"2001:db8:{number + 1}::/56",) if six else ()))
        vpc = Vpc(draw.id("vpc", number), blocks, draw.chance(0.75), draw.chance(0.3) and six)
        vpcs.append(vpc)
        mine = [
            Subnet(
                draw.id("subnet", number * 16 + place),
                vpc.id,
                draw.id("rtb", number * 16 + draw.random.choice((0, 0, place))),
                (f"{net}.{place}.0/24", *((f"2001:db8:{number + 1}:{place}::/64",) if six else ())),
            )
            for place in range(1, draw.random.randint(1, 3) + 1)
        ]
        subnets += mine
        interfaces += [
            _interface(draw, subnet, len(interfaces) + i, i + 4) for i, subnet in enumerate(_spread(draw, mine))
        ]
    interfaces = _paired(draw, interfaces, subnets)
    draw.addresses = [address for each in interfaces for address in each.addresses]
    draw.addresses += [public for each in interfaces for _, public in each.public]
    plan = Plan(tuple(vpcs), tuple(subnets), interfaces=tuple(interfaces))
    plan = replace(plan, peerings=tuple(_peerings(draw, plan)))
    lists = tuple(_prefix_list(draw, number) for number in (0, 1))
    return replace(
        plan,
        tables=tuple(table for vpc in vpcs for table in _tables(draw, vpc, plan)),
        groups=tuple(group for vpc in vpcs for group in _groups(draw, plan, vpc, lists)),
        lists=lists,
        acls=tuple(acl for vpc in vpcs for acl in _acls(draw, vpc, subnets)),
    )


def _peerings(draw: Draw, plan: Plan) -> list[Peering]:
    pairs = [(one, other) for one, other in combinations(plan.vpcs, 2) if plan.disjoint(one, other)]
    return [some_peering(draw, one, other) for one, other in pairs if draw.chance(0.7)]


def some_peering(draw: Draw, one: Vpc, other: Vpc) -> Peering:
    return Peering(draw.id("pcx", draw.random.randrange(1 << 32)), (one.id, other.id))


def _spread(draw: Draw, subnets: list[Subnet]) -> list[Subnet]:
    return [draw.random.choice(subnets) for _ in range(draw.random.randint(3, 5))]


def _interface(draw: Draw, subnet: Subnet, number: int, host: int) -> Interface:
    four = ip_network(subnet.blocks[0])
    addresses = [str(four[host])]
    if draw.chance(0.3):
        addresses.append(str(four[host + 100]))
    public = tuple(
        (address, f"198.18.{number}.{place}") for place, address in enumerate(addresses) if draw.chance(0.55)
    )
    if len(subnet.blocks) > 1 and draw.chance(0.85):
        addresses.append(str(ip_network(subnet.blocks[1])[host]))
    groups = draw.random.sample(range(4), draw.random.choice((1, 1, 2, 3)))
    vpc = int(subnet.vpc[-1])
    return Interface(
        draw.id("eni", number),
        f"i-{number}",
        0,
        subnet.id,
        f"02:e0:00:00:00:{number:02x}",
        tuple(addresses),
        tuple(sorted(draw.id("sg", vpc * 16 + group) for group in groups)),
        draw.chance(0.65),
        public,
    )


def _paired(draw: Draw, interfaces: list[Interface], subnets: list[Subnet]) -> list[Interface]:
    """Sometimes the second one of a VPC is the first one's instance's, too."""
    if draw.chance(0.3):
        first, second = interfaces[:2]
        data = {**vars(second), "instance": first.instance, "device_index": 1}
        interfaces[1] = Interface(**data)
    return interfaces


def _prefix_list(draw: Draw, number: int) -> PrefixList:
    blocks = {draw.block() for _ in range(draw.random.randint(0, 4))}
    six = number == 1
    return PrefixList(draw.id("pl", number), tuple(sorted(block for block in blocks if (":" in block) == six)))


def permission(draw: Draw, egress: bool, groups: list[str], lists: tuple[PrefixList, ...]) -> Permission:
    kind = draw.random.random()
    far = (
        {"cidr": draw.block()}
        if kind < 0.6
        else {"group": draw.random.choice(groups)}
        if kind < 0.9
        else {"prefix_list": draw.random.choice(lists).id}
    )
    protocol = draw.random.choice(("-1", "tcp", "tcp", "udp", "udp", "icmp", "icmpv6", "47"))
    first = last = -1
    if protocol in ("tcp", "udp"):
        first, last = draw.ports()
    elif protocol in ("icmp", "icmpv6"):
        first, last = draw.icmp(4 if protocol == "icmp" else 6)
    return Permission(egress, protocol, first, last, **far)


def _groups(draw: Draw, plan: Plan, vpc: Vpc, lists: tuple[PrefixList, ...]) -> list[Group]:
    mine, *theirs = (
        [draw.id("sg", int(id_[-1]) * 16 + number) for number in range(4)]
        for id_ in (vpc.id, *plan.peers(vpc.id).values())
    )
    known = [*mine, *(id_ for ids in theirs for id_ in ids)]
    return [some_group(draw, id_, vpc.id, known, lists) for id_ in mine]


def some_group(draw: Draw, id_: str, vpc: str, ids: list[str], lists: tuple[PrefixList, ...]) -> Group:
    rules: list[Permission] = []
    if draw.chance(0.85):
        rules += [Permission(True, "-1", cidr=block) for block in _EVERYBODY]
    if draw.chance(0.5):
        kind = draw.random.choice((("-1", -1, -1), ("tcp", 0, 65535), ("udp", 0, 65535)))
        rules += [Permission(False, *kind, cidr=block) for block in _EVERYBODY]
    rules += [permission(draw, True, ids, lists) for _ in range(draw.random.randint(0, 3))]
    rules += [permission(draw, False, ids, lists) for _ in range(draw.random.randint(0, 6))]
    # Ranges of one far end, beside each other and one within the other.
    ported = [rule for rule in rules if rule.protocol in ("tcp", "udp")]
    for rule in draw.random.sample(ported, len(ported) // 3):
        first, last = draw.ports()
        if draw.chance(0.4) and rule.last <= 65533:
            first = rule.last + 2  # One port is left out.
            last = max(first, last)
        rules.append(replace(rule, first=first, last=last))
    return Group(id_, vpc, tuple(rules))


def _tables(draw: Draw, vpc: Vpc, plan: Plan) -> list[Table]:
    ids = {subnet.table for subnet in plan.subnets if subnet.vpc == vpc.id}
    return [some_table(draw, id_, vpc, plan) for id_ in sorted(ids)]


def some_table(draw: Draw, id_: str, vpc: Vpc, plan: Plan) -> Table:
    mine = [each for each in plan.interfaces if plan.vpc_of(each).id == vpc.id]
    routes: dict[str, Route] = {}
    if draw.chance(0.75):
        routes["0.0.0.0/0"] = Route("0.0.0.0/0", "internet")
    if len(vpc.blocks) > 1 and draw.chance(0.75):
        routes["::/0"] = Route("::/0", draw.random.choice(("internet", "internet", "egress_only")))
    routes |= _inner_routes(draw, vpc, plan, mine)
    narrow = [block for address in FAR for block in _around(draw, address)]
    narrow += [f"198.18.{draw.random.randint(0, 9)}.0/24", "198.18.0.0/16", "2001:db8:1::/56", "2001:db8:2::/56"]
    for peering, peer in plan.peers(vpc.id).items():
        there = [block for block in named(plan.vpcs, peer).blocks if draw.chance(0.85)]
        wide = draw.random.sample(_EVERYBODY, 1) if draw.chance(0.15) else []
        routes |= {block: Route(block, "peering", peering) for block in (*there, *wide) if _has_family(vpc, block)}
    for block in draw.random.sample(narrow, draw.random.randint(0, 5)):
        if block in vpc.blocks or not _has_family(vpc, block):
            continue
        kind = draw.random.random()
        gone = draw.id("eni", 99)
        target = draw.random.choice(mine).id if kind < 0.7 else gone
        six_only = ":" in block and kind > 0.9
        routes[block] = Route(block, "egress_only") if six_only else Route(block, "interface", target)
    return Table(id_, vpc.id, tuple(routes.values()))


def _inner_routes(draw: Draw, vpc: Vpc, plan: Plan, mine: list[Interface]) -> dict[str, Route]:
    """Sometimes, from a whole subnet or all of a block, to an interface that mostly is one of an appliance."""
    if not mine or draw.chance(0.7):
        return {}
    blocks = [*vpc.blocks, *(block for subnet in plan.subnets if subnet.vpc == vpc.id for block in subnet.blocks)]
    open_ = [each for each in mine if not each.source_dest_check] or mine
    chosen = draw.random.sample(blocks, draw.random.randint(1, 2))
    return {block: Route(block, "interface", draw.random.choice(open_).id) for block in chosen}


def _has_family(vpc: Vpc, block: str) -> bool:
    return any((":" in block) == (":" in own) for own in vpc.blocks)


def _around(draw: Draw, address: str) -> list[str]:
    lengths = (48, 64, 128) if ":" in address else (16, 24, 32)
    return [str(ip_network(f"{address}/{length}", strict=False)) for length in lengths]


def _acls(draw: Draw, vpc: Vpc, subnets: list[Subnet]) -> list[Acl]:
    if draw.chance(0.4):
        return []
    ids = [draw.id("acl", int(vpc.id[-1]) * 16 + number) for number in range(2)]
    home = {subnet.id: draw.random.choice((*ids, "")) for subnet in subnets if subnet.vpc == vpc.id}
    return [
        Acl(id_, vpc.id, tuple(sorted(subnet for subnet, acl in home.items() if acl == id_)), some_entries(draw))
        for id_ in ids
    ]


def some_entries(draw: Draw) -> tuple[Entry, ...]:
    entries = []
    for egress in (False, True):
        entries += [_entry(draw, number * 10, egress) for number in range(1, draw.random.randint(0, 4) + 1)]
        if draw.chance(0.75):
            entries += [Entry(900 + i, egress, True, -1, block) for i, block in enumerate(_EVERYBODY)]
    return tuple(entries)


def _entry(draw: Draw, number: int, egress: bool) -> Entry:
    block = draw.block()
    version = ip_address(block.split("/")[0]).version
    protocol = draw.random.choice((-1, 6, 6, 17, 17, 1 if version == 4 else 58, 47))
    first: int | None = None
    last: int | None = None
    if protocol in (6, 17):
        first, last = (1024, 65535) if draw.chance(0.3) else draw.ports()
    elif protocol in (1, 58):
        first, last = draw.icmp(version)
    return Entry(number, egress, draw.chance(0.6), protocol, block, first, last)
