"""What API calls do to a network, one at a time: the next plan out of the last one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network

from aws_plan import Acl, Interface, Plan, Thing, named
from random_plans import Draw, some_entries, some_group, some_peering, some_table


def _put(plan: Plan, part: str, thing: Thing) -> Plan:
    """The thing in the place of the one of its id."""
    things = tuple(thing if each.id == thing.id else each for each in getattr(plan, part))
    return replace(plan, **{part: things})


def _rules(plan: Plan, draw: Draw) -> Plan:
    group = draw.random.choice(plan.groups)
    known = {group.vpc, *plan.peers(group.vpc).values()}
    ids = [each.id for each in plan.groups if each.vpc in known]
    fresh = some_group(draw, group.id, group.vpc, ids, plan.lists)
    kept = [rule for rule in group.permissions if draw.chance(0.6)]
    return _put(plan, "groups", replace(group, permissions=(*kept, *fresh.permissions[:2])))


def _prefix_list(plan: Plan, draw: Draw) -> Plan:
    place = draw.random.randrange(len(plan.lists))
    blocks = [block for block in (draw.block() for _ in range(4)) if (":" in block) == (place == 1)]
    return _put(plan, "lists", replace(plan.lists[place], blocks=tuple(sorted(set(blocks)))))


def _routes(plan: Plan, draw: Draw) -> Plan:
    table = draw.random.choice(plan.tables)
    if not any(plan.vpc_of(each).id == table.vpc for each in plan.interfaces):
        return plan
    return _put(plan, "tables", some_table(draw, table.id, named(plan.vpcs, table.vpc), plan))


def _table_of_subnet(plan: Plan, draw: Draw) -> Plan:
    subnet = draw.random.choice(plan.subnets)
    tables = [table.id for table in plan.tables if table.vpc == subnet.vpc]
    return _put(plan, "subnets", replace(subnet, table=draw.random.choice(tables)))


def _acl(plan: Plan, draw: Draw) -> Plan:
    """Entries of one, or the subnets of all of its VPC."""
    vpc = draw.random.choice(plan.vpcs)
    mine = [acl for acl in plan.acls if acl.vpc == vpc.id]
    if not mine or (len(mine) < 3 and draw.chance(0.2)):
        fresh = Acl(draw.id("acl", draw.random.randrange(1 << 32)), vpc.id, (), some_entries(draw))
        return replace(plan, acls=(*plan.acls, fresh))
    acl = draw.random.choice(mine)
    if draw.chance(0.15):
        return replace(plan, acls=tuple(each for each in plan.acls if each != acl))
    if draw.chance(0.5):
        return _put(plan, "acls", replace(acl, entries=some_entries(draw)))
    home = {
        subnet.id: draw.random.choice((*(each.id for each in mine), ""))
        for subnet in plan.subnets
        if subnet.vpc == vpc.id
    }
    for each in mine:
        guarded = tuple(sorted(subnet for subnet, chosen in home.items() if chosen == each.id))
        plan = _put(plan, "acls", replace(each, subnets=guarded))
    return plan


def _gateway(plan: Plan, draw: Draw) -> Plan:
    vpc = draw.random.choice(plan.vpcs)
    if draw.chance(0.5) or len(vpc.blocks) == 1:
        return _put(plan, "vpcs", replace(vpc, internet_gateway=not vpc.internet_gateway))
    return _put(plan, "vpcs", replace(vpc, egress_only=not vpc.egress_only))


def _block_of_vpc(plan: Plan, draw: Draw) -> Plan:
    """A further block comes, or goes."""
    vpc = draw.random.choice(plan.vpcs)
    more = "100.64.0.0/16"
    blocks = tuple(block for block in vpc.blocks if block != more) if more in vpc.blocks else (*vpc.blocks, more)
    changed = replace(vpc, blocks=blocks)
    peers = plan.peers(vpc.id).values()
    if all(plan.disjoint(changed, named(plan.vpcs, peer)) for peer in peers):
        return _put(plan, "vpcs", changed)
    return plan


def _peering(plan: Plan, draw: Draw) -> Plan:
    """A connection ends, and what was for it leads nowhere; or one is made, sometimes with a route at one end."""
    if plan.peerings and draw.chance(0.5):
        gone = draw.random.choice(plan.peerings)
        return replace(plan, peerings=tuple(each for each in plan.peerings if each != gone))
    one, other = draw.random.sample(plan.vpcs, 2)
    if other.id in plan.peers(one.id).values() or not plan.disjoint(one, other):
        return plan
    return replace(plan, peerings=(*plan.peerings, some_peering(draw, one, other)))


def _interface(plan: Plan, draw: Draw) -> Interface:
    return draw.random.choice(plan.interfaces)


def _groups_of_interface(plan: Plan, draw: Draw) -> Plan:
    interface = _interface(plan, draw)
    ids = [each.id for each in plan.groups if each.vpc == plan.vpc_of(interface).id]
    chosen = draw.random.sample(ids, draw.random.randint(1, 3))
    return _put(plan, "interfaces", replace(interface, groups=tuple(sorted(chosen))))


def _check(plan: Plan, draw: Draw) -> Plan:
    interface = _interface(plan, draw)
    return _put(plan, "interfaces", replace(interface, source_dest_check=not interface.source_dest_check))


def _addresses(plan: Plan, draw: Draw) -> Plan:
    """A secondary address comes, goes, or moves to another interface of the subnet with its public one."""
    interface = _interface(plan, draw)
    secondary = [each for each in interface.addresses[1:] if ":" not in each]
    if secondary:
        gone = secondary[0]
        less = tuple(each for each in interface.addresses if each != gone)
        public = tuple(pair for pair in interface.public if pair[0] != gone)
        moved = tuple(pair for pair in interface.public if pair[0] == gone)
        plan = _put(plan, "interfaces", replace(interface, addresses=less, public=public))
        others = [each for each in plan.interfaces if each.subnet == interface.subnet and each.id != interface.id]
        if others and draw.chance(0.6):
            other = draw.random.choice(others)
            more = (other.addresses[0], gone, *other.addresses[1:])
            plan = _put(plan, "interfaces", replace(other, addresses=more, public=(*other.public, *moved)))
        return plan
    block = ip_network(named(plan.subnets, interface.subnet).blocks[0])
    taken = {ip_address(address) for each in plan.interfaces for address in each.addresses}
    fresh = block[draw.random.randint(150, 250)]
    if fresh in taken:
        return plan
    more = (interface.addresses[0], str(fresh), *interface.addresses[1:])
    return _put(plan, "interfaces", replace(interface, addresses=more))


def _ipv6(plan: Plan, draw: Draw) -> Plan:
    interface = _interface(plan, draw)
    blocks = named(plan.subnets, interface.subnet).blocks
    if len(blocks) == 1:
        return plan
    four = tuple(each for each in interface.addresses if ":" not in each)
    if len(four) == len(interface.addresses):
        host = int(ip_address(four[0])) & 0xFF
        four = (*four, str(ip_network(blocks[1])[host]))
    return _put(plan, "interfaces", replace(interface, addresses=four))


def _public(plan: Plan, draw: Draw) -> Plan:
    """An Elastic IP is associated, disassociated or moved."""
    interface = _interface(plan, draw)
    if interface.public and draw.chance(0.4):
        return _put(plan, "interfaces", replace(interface, public=interface.public[1:]))
    private = interface.addresses[0]
    if any(pair[0] == private for pair in interface.public):
        return plan
    elsewhere = [each for each in plan.interfaces if each.public and each.id != interface.id]
    if elsewhere and draw.chance(0.7):
        other = draw.random.choice(elsewhere)
        given = other.public[0][1]
        plan = _put(plan, "interfaces", replace(other, public=other.public[1:]))
    else:
        given = f"198.18.{draw.random.randint(20, 250)}.{draw.random.randint(1, 250)}"
    return _put(plan, "interfaces", replace(interface, public=(*interface.public, (private, given))))


def _restart(plan: Plan, draw: Draw) -> Plan:
    """An instance stops and starts: its interfaces are plugged anew."""
    instance = _interface(plan, draw).instance
    for each in plan.interfaces:
        if each.instance == instance:
            plan = _put(plan, "interfaces", replace(each, boot=each.boot + 1))
    return plan


def _move(plan: Plan, draw: Draw) -> Plan:
    """Detached from one instance and attached to another of the VPC: another attachment."""
    interface = _interface(plan, draw)
    vpc = plan.vpc_of(interface)
    running = {each.instance for each in plan.interfaces if plan.vpc_of(each) == vpc}
    others = sorted((running | {f"i-of-{vpc.id}-{number}" for number in range(4)}) - {interface.instance})
    instance = draw.random.choice(others)
    used = {each.device_index for each in plan.interfaces if each.instance == instance and each.id != interface.id}
    index = next(number for number in range(20) if number not in used)
    moved = replace(interface, instance=instance, device_index=index, attachment=interface.attachment + 1)
    return _put(plan, "interfaces", moved)


def _detach(plan: Plan, draw: Draw) -> Plan:
    """Gone from the network. Its groups, and routes to it, stay."""
    if len(plan.interfaces) < 5:
        return plan
    gone = _interface(plan, draw)
    return replace(plan, interfaces=tuple(each for each in plan.interfaces if each != gone))


def _create(plan: Plan, draw: Draw) -> Plan:
    """A new interface like one that is there, at another address."""
    if len(plan.interfaces) > 10:
        return plan
    like = _interface(plan, draw)
    block = ip_network(named(plan.subnets, like.subnet).blocks[0])
    fresh = str(block[draw.random.randint(20, 90)])
    if any(fresh in each.addresses and plan.vpc_of(each) == plan.vpc_of(like) for each in plan.interfaces):
        return plan
    number = draw.random.randrange(1 << 31)
    mac = "02:e1:" + ":".join(f"{byte:02x}" for byte in number.to_bytes(4, "big"))
    made = replace(like, id=draw.id("eni", number), addresses=(fresh,), public=(), mac=mac)
    plan = replace(plan, interfaces=(*plan.interfaces, made))
    used = {each.device_index for each in plan.interfaces if each.instance == like.instance and each.id != made.id}
    return _put(plan, "interfaces", replace(made, device_index=next(n for n in range(20) if n not in used)))


CHANGES: tuple[Callable[[Plan, Draw], Plan], ...] = (
    _rules,
    _rules,
    _prefix_list,
    _routes,
    _routes,
    _table_of_subnet,
    _acl,
    _acl,
    _gateway,
    _block_of_vpc,
    _peering,
    _groups_of_interface,
    _groups_of_interface,
    _check,
    _addresses,
    _addresses,
    _ipv6,
    _public,
    _public,
    _restart,
    _move,
    _detach,
    _create,
    _create,
)


def changed(plan: Plan, draw: Draw) -> tuple[str, Plan]:
    """One change, by its name, and what there is after it; never nothing."""
    draw.addresses = [address for each in plan.interfaces for address in each.addresses]
    while True:
        change = draw.random.choice(CHANGES)
        after = change(plan, draw)
        if after != plan:
            return change.__name__.strip("_"), after
