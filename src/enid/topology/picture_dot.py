"""The picture of a VPC as a Graphviz graph: a cluster per subnet, its interfaces in it, instances wired to them.

Pure: it writes the graph; running ``dot`` is the command line's.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from enid.topology.picture import Column, Machine, Picture
from enid.topology.records import Port, TargetKind

_INK, _PALE = "#1f2933", "#7b8794"
_INTERNET, _SITE, _VPC, _SUBNET, _MACHINE, _PUBLIC = "#0b7285", "#862e9c", "#2b8a3e", "#1864ab", "#d9480f", "#c92a2a"
_IGW, _VGW = "internet gateway", "virtual private gateway"


def dot(picture: Picture) -> str:
    """The whole graph, in the DOT language."""
    return "\n".join(["digraph enid {", *_graph(picture), "}", ""])


def _graph(picture: Picture) -> Iterator[str]:
    yield 'graph [rankdir=TB, nodesep=0.35, ranksep=0.55, pad=0.3, bgcolor=white, fontname="Helvetica", newrank=true]'
    yield 'node [shape=box, style="rounded,filled", fillcolor=white, fontname="Helvetica", fontsize=11]'
    yield f'edge [color="{_PALE}", fontname="Helvetica", fontsize=10, arrowhead=none]'
    yield from _outside(picture)
    blocks = ", ".join(str(block) for block in picture.vpc.blocks)
    yield f"subgraph {_quote('cluster_' + picture.vpc.id)} {{"
    yield _cluster(_title(picture, picture.vpc.id, blocks), _VPC, "#f4fbf5")
    yield from _gateways(picture)
    for column in picture.columns:
        yield from _subnet(picture, column)
    for machine in picture.machines:
        yield from _machine(picture, machine)
    yield "}"
    yield from _wires(picture)
    yield _level(["internet"] * picture.vpc.internet + [f"site {site.id}" for _, site in picture.joined])
    yield _level([_IGW] * picture.vpc.internet + [_VGW] * bool(picture.joined))
    yield _level([_table(column) for column in picture.columns])


def _outside(picture: Picture) -> Iterator[str]:
    if picture.vpc.internet:
        hosts = [f"{site.id} {own}" for site in picture.others for own in site.public]
        yield _node("internet", _label(("internet", _INTERNET, 13), *((host, _INK, 10) for host in hosts)), _INTERNET)
    for _, site in picture.joined:
        about = [str(part) for part in (*site.public, site.network, site.host_ip) if part]
        yield _node(f"site {site.id}", _label((site.id, _SITE, 13), *((line, _INK, 10) for line in about)), _SITE)


def _gateways(picture: Picture) -> Iterator[str]:
    if picture.vpc.internet:
        yield _node(_IGW, _label((_IGW, _INTERNET, 11)), _INTERNET)
    if picture.joined:
        yield _node(_VGW, _label((_VGW, _SITE, 11)), _SITE)


def _subnet(picture: Picture, column: Column) -> Iterator[str]:
    about = ", ".join(str(block) for block in column.subnet.blocks) + (f" · {column.zone}" if column.zone else "")
    yield f"subgraph {_quote('cluster_' + column.subnet.id)} {{"
    yield _cluster(_title(picture, column.subnet.id, about), _SUBNET, "#f3f8fd")
    routes = [(f"{route.destination} → {picture.target(route)}", _INK, 10) for route in column.routes]
    table = picture.labels.of(column.table_id) if column.table_id else "no route table yet"
    yield _node(_table(column), _label((table, _SUBNET, 11), *routes), _SUBNET, style="dashed,rounded,filled")
    for machine in picture.machines:
        for port in machine.in_subnet(column.subnet.id):
            yield _node(port.id, _interface(picture, port), _PALE)
            yield f"{_quote(_table(column))} -> {_quote(port.id)} [style=dotted]"
    yield "}"


def _interface(picture: Picture, port: Port) -> str:
    public = {str(inside): str(outside) for inside, outside in port.public}
    lines: list[tuple[str, str, int]] = [(picture.labels.of(port.id), _INK, 11)]
    for address in map(str, port.addresses):
        lines.append((address + (f" ⇄ {public[address]}" if address in public else ""), _INK, 11))
    lines.append((picture.guards(port), _VPC, 10))
    if not port.source_dest_check and not port.appliance:
        lines.append(("no source/destination check", _PUBLIC, 10))
    return _label(*lines)


def _machine(picture: Picture, machine: Machine) -> Iterator[str]:
    name = picture.labels.names.get(machine.id)
    label = _label((name or machine.id, _MACHINE, 13), *([(machine.id, _PALE, 9)] if name else []))
    yield _node(machine.id, label, _MACHINE, penwidth=2)
    for port in machine.ports:
        wire = f'label=" {port.device} ", color="{_MACHINE}", penwidth=2'
        yield f"{_quote(port.id)} -> {_quote(machine.id)} [{wire}]"


def _wires(picture: Picture) -> Iterator[str]:
    if picture.vpc.internet:
        yield f'internet -> {_quote(_IGW)} [color="{_INTERNET}", penwidth=1.5]'
    for link, site in picture.joined:
        wire = f'label={_quote(f" {link} ")}, color="{_SITE}", style=dashed, penwidth=1.5'
        yield f"{_quote(f'site {site.id}')} -> {_quote(_VGW)} [{wire}]"
    for column in picture.columns:
        if picture.vpc.internet and column.leads_to(TargetKind.INTERNET):
            yield f'{_quote(_IGW)} -> {_quote(_table(column))} [color="{_INTERNET}"]'
        if picture.joined and column.leads_to(TargetKind.VPN):
            yield f'{_quote(_VGW)} -> {_quote(_table(column))} [color="{_SITE}"]'


def _level(nodes: list[str]) -> str:
    return f"{{rank=same; {'; '.join(map(_quote, nodes))}}}"


def _table(column: Column) -> str:
    """A subnet's own drawing of its route table: two subnets may share one."""
    return f"routes of {column.subnet.id}"


def _title(picture: Picture, id_: str, about: str) -> str:
    name = picture.labels.names.get(id_)
    return " · ".join(part for part in (name, id_, about) if part)


def _cluster(title: str, colour: str, fill: str) -> str:
    look = f'style="rounded,filled", color="{colour}", fillcolor="{fill}", fontcolor="{colour}", margin=14'
    return f"graph [label={_quote(title)}, labeljust=l, {look}]"


def _node(id_: str, label: str, colour: str, style: str = "rounded,filled", penwidth: float = 1) -> str:
    return f'{_quote(id_)} [label={label}, color="{colour}", style="{style}", penwidth={penwidth}]'


def _label(*lines: tuple[str, str, int]) -> str:
    """An HTML-like label: (text, colour, size) a line."""
    rows = (f'<FONT COLOR="{colour}" POINT-SIZE="{size}">{escape(text)}</FONT>' for text, colour, size in lines)
    return f"<{'<BR/>'.join(rows)}>"


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
