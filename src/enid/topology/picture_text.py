"""The picture of a VPC for a terminal: subnets stand side by side as boxes, and an instance lies across the subnets
that its interfaces are in.

Pure: it makes lines of (text, role); the colours are the command line's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from enid.topology.canvas import HEAVY, Canvas, Segment, shorten
from enid.topology.picture import Column, Machine, Picture
from enid.topology.records import Port, Route, TargetKind

_GAP = 2
_NARROWEST = 30
_WIDEST = 140
_GATEWAYS = ((TargetKind.INTERNET, "internet gateway", "internet"), (TargetKind.VPN, "VPN gateway", "site"))

Line = list[Segment]


def draw(picture: Picture, width: int = 100) -> list[Line]:
    """The whole picture, at most ``width`` columns wide; readable from 60 on."""
    sheet = Canvas(max(60, min(width, _WIDEST)))
    bands = _bands(picture.columns, sheet.width)
    top, doors = _outside(sheet, picture)
    y = _gateways(sheet, picture, top, doors, bands[0]) if bands else top + 2
    for band in bands:
        y = _band(sheet, picture, band, y) + 1
    sheet.box(0, top, sheet.width, max(y, top + 3) - top, "vpc")
    _title(sheet, 2, top, [(picture.labels.names.get(picture.vpc.id, ""), "vpc-name"), (picture.vpc.id, "id")])
    blocks = " ".join(str(block) for block in picture.vpc.blocks)
    sheet.write(sheet.width - len(blocks) - 4, top, f" {blocks} ", "address")
    return sheet.lines()


# --- outside ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Door:
    """Where something outside comes through the VPC's edge."""

    x: int
    kind: TargetKind
    label: str


def _outside(sheet: Canvas, picture: Picture) -> tuple[int, list[_Door]]:
    """The internet and the sites; the row of the VPC's upper edge, and where the lines reach it."""
    things: list[tuple[str, list[Line], TargetKind, str]] = []
    if picture.vpc.internet:
        hosts: list[Line] = [
            [(site.id if own == site.public_ip else " " * len(site.id), "site"), ("  ", ""), (str(own), "public")]
            for site in picture.others
            for own in site.public
        ]
        things.append(("internet", hosts or [[("everyone", "dim")]], TargetKind.INTERNET, ""))
    for link, site in picture.joined:
        about: list[Line] = [[("public   ", "dim"), (str(own), "public")] for own in site.public]
        if site.network:
            about.append([("network  ", "dim"), (str(site.network), "address")])
        if site.host_ip:
            about.append([("host     ", "dim"), (str(site.host_ip), "address")])
        things.append((site.id, about, TargetKind.VPN, link))
    if not things:
        return 0, []
    slot = sheet.width // len(things)
    height = max(len(about) for _, about, _, _ in things) + 2
    doors = []
    for number, (name, about, kind, link) in enumerate(things):
        box = min(slot - 2, 36)
        x = number * slot + (slot - box) // 2
        roof = height - len(about) - 2
        role = "internet" if kind is TargetKind.INTERNET else "site"
        sheet.box(x, roof, box, len(about) + 2, role)
        _title(sheet, x + 2, roof, [(name, role + "-name")], box - 4)
        for row, line in enumerate(about, roof + 1):
            _words(sheet, x + 2, row, line, box - 4)
        centre = x + box // 2
        sheet.down(centre, height - 1, height + 1, role)
        sheet.write(centre + 2, height, link, "id", slot // 2 - 3)
        doors.append(_Door(centre, kind, link))
    return height + 1, doors


def _gateways(sheet: Canvas, picture: Picture, top: int, doors: Sequence[_Door], band: Sequence[Column]) -> int:
    """From the doors to the subnets whose route tables lead there; the first free row."""
    places = _places(band, sheet.width)
    bus, reached, runs = top + 2, -1, []
    for kind, name, role in _GATEWAYS:
        mine = [door.x for door in doors if door.kind is kind]
        if not mine:
            continue
        sheet.write(mine[0] + 2, top + 1, name, role + "-name", sheet.width - mine[0] - 4)
        drops = [_drop(picture, *spot, kind, mine) for spot in places if spot[0].leads_to(kind)]
        bus += 1 if min(mine + drops) <= reached else 0
        reached = max(mine + drops)
        runs.append((mine, drops, bus, role))
    for mine, drops, row, role in runs:
        for x in mine:
            sheet.down(x, top, row if drops else top + 1, role)
        for x in drops:
            sheet.across(min(mine + drops), max(mine + drops), row, role)
            sheet.down(x, row, bus + 1, role)
    return bus + 1 if runs else top + 1


def _drop(picture: Picture, column: Column, x: int, width: int, kind: TargetKind, doors: Sequence[int]) -> int:
    """Where a gateway's line meets a subnet: clear of title and the other gateway's line, below its door if it can."""
    clear = min(x + 5 + len(picture.labels.of(column.subnet.id)), x + width - 4)
    last = x + width - 3
    if kind is TargetKind.VPN and column.leads_to(TargetKind.INTERNET):
        return max(x + 2 * width // 3, clear + 2, x + width // 3 + 2)
    if kind is TargetKind.INTERNET and column.leads_to(TargetKind.VPN):
        return max(x + width // 3, clear)
    return next((door for door in doors if clear <= door <= last), max(x + width // 2, clear))


# --- subnets and instances --------------------------------------------------------------------------------------------


def _bands(columns: Sequence[Column], width: int) -> list[Sequence[Column]]:
    """As many subnets side by side as fit, evenly shared out."""
    most = max(1, (width - 4 + _GAP) // (_NARROWEST + _GAP))
    if not columns:
        return []
    rows = -(-len(columns) // most)
    each = -(-len(columns) // rows)
    return [columns[start : start + each] for start in range(0, len(columns), each)]


def _places(band: Sequence[Column], width: int) -> list[tuple[Column, int, int]]:
    """Each column with its left edge and its width."""
    room = width - 4 + _GAP
    edges = [2 + room * number // len(band) for number in range(len(band) + 1)]
    return [(column, left, right - left - _GAP) for column, left, right in zip(band, edges, edges[1:], strict=False)]


def _band(sheet: Canvas, picture: Picture, band: Sequence[Column], top: int) -> int:
    """Some subnets with their instances; the row after them."""
    places = _places(band, sheet.width)
    heads = [_head(picture, column) for column, _, _ in places]
    for (_, x, width), head in zip(places, heads, strict=True):
        for row, line in enumerate(head, top + 1):
            _words(sheet, x + 2, row, line, width - 4)
    start = top + max(map(len, heads)) + 2
    free = [start] * len(places)
    for machine in picture.machines:
        _machine(sheet, picture, machine, places, free)
    bottom = max([*free, start])
    for column, x, width in places:
        sheet.box(x, top, width, bottom - top + 1, "subnet")
        name = picture.labels.names.get(column.subnet.id)
        words = [(name or column.subnet.id, "subnet-name")]
        _title(sheet, x + 2, top, words, width - 4)
    return bottom + 1


def _head(picture: Picture, column: Column) -> list[Line]:
    blocks = "  ".join(str(block) for block in column.subnet.blocks)
    lines: list[Line] = [[(blocks, "address"), (f"  {column.zone}", "dim")]]
    if picture.labels.names.get(column.subnet.id):
        lines.append([(column.subnet.id, "id")])
    if column.table_id:
        lines += [[], [(picture.labels.of(column.table_id), "table")]]
    wide = max((len(str(route.destination)) for route in column.routes), default=0)
    return lines + [
        [(f"{route.destination!s:<{wide}}", "address"), (" → ", "dim"), (picture.target(route), _role(route))]
        for route in column.routes
    ]


def _role(route: Route) -> str:
    roles = {
        TargetKind.INTERNET: "internet",
        TargetKind.VPN: "site",
        TargetKind.PEERING: "site",
        TargetKind.BLACKHOLE: "warning",
    }
    return roles.get(route.kind, "instance")


def _machine(
    sheet: Canvas, picture: Picture, machine: Machine, places: Sequence[tuple[Column, int, int]], free: list[int]
) -> None:
    here = [number for number, (column, _, _) in enumerate(places) if machine.in_subnet(column.subnet.id)]
    if not here:
        return
    first, last = here[0], here[-1]
    y = max(free[first : last + 1])
    shown = {column.subnet.id for column, _, _ in places}
    cells = {number: _cell(picture, machine, places[number], shown) for number in here}
    height = max(map(len, cells.values())) + 2
    left, right = places[first][1] + 2, places[last][1] + places[last][2] - 3
    sheet.box(left, y, right - left + 1, height, "instance", HEAVY)
    name = picture.labels.names.get(machine.id, "")
    _title(sheet, left + 2, y, [(name, "instance-name"), (machine.id, "id")], right - left - 3)
    for number, lines in cells.items():
        for row, line in enumerate(lines, y + 1):
            _words(sheet, places[number][1] + 4, row, line, places[number][2] - 8)
    free[first : last + 1] = [y + height] * (last + 1 - first)


def _cell(picture: Picture, machine: Machine, place: tuple[Column, int, int], shown: set[str]) -> list[Line]:
    """An instance's interfaces in one subnet."""
    column, _, width = place
    lines = [line for port in machine.in_subnet(column.subnet.id) for line in _port(picture, port, width - 8)]
    away = [port for port in machine.ports if port.subnet.id not in shown]
    return lines + [
        [(f"{port.device}  ", "device"), (f"in {picture.labels.of(port.subnet.id)}", "dim")] for port in away
    ]


def _port(picture: Picture, port: Port, room: int) -> list[Line]:
    public = dict(port.public)
    lines: list[Line] = []
    for number, address in enumerate(port.addresses):
        head = f"{port.device:<5} " if number == 0 else " " * 6
        line: Line = [(head, "device"), (str(address), "address")]
        outside = next((str(far) for near, far in public.items() if near == address), "")
        if outside and len(head) + len(str(address)) + len(outside) + 3 > room:
            lines += [line, [(" " * 6, ""), (f"⇄ {outside}", "public")]]
        else:
            lines.append([*line, (f" ⇄ {outside}" if outside else "", "public")])
    lines.append([(" " * 6, ""), (picture.guards(port), "group")])
    if not port.source_dest_check and not port.appliance:
        lines.append([(" " * 6, ""), ("no source check", "warning")])
    name = picture.labels.names.get(port.id)
    own = [(name, "port-name")] if name else [(port.id, "id")]
    indent = 6 if len(own[0][0]) <= room - 6 else 0
    lines.append([(" " * indent, ""), *own])
    return lines


# --- words ------------------------------------------------------------------------------------------------------------


def _words(sheet: Canvas, x: int, y: int, line: Line, room: int) -> None:
    end = x + room
    for text, role in line:
        x = sheet.write(x, y, text, role, end - x) if text.strip() else x + len(text)


def _title(sheet: Canvas, x: int, y: int, words: Sequence[Segment], room: int | None = None) -> None:
    """Words set into a box's upper edge; the later ones are left out where they do not fit."""
    room = sheet.width - x - 2 if room is None else room
    for number, (text, role) in enumerate((text, role) for text, role in words if text):
        if number and len(text) + 2 > room:
            return
        shown = shorten(text, room - 2)
        x = sheet.write(x, y, f" {shown} ", role)
        room -= len(shown) + 2
