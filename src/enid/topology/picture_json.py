"""The picture of a VPC for a script. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from enid.topology.picture import Column, Machine, Picture
from enid.topology.records import Address, Port, Route, Site

Document = dict[str, Any]


def document(picture: Picture) -> Document:
    """Plain dictionaries, lists and strings: the VPC with ``subnets`` (each with its ``route_table`` and ``routes``),
    ``instances`` (NAT gateways too) with their ``interfaces`` in this VPC, and the ``sites`` outside it, with the VPN
    connections (vpn-…) that join them. A name is an empty string where there is none."""
    sites: dict[Site, list[str]] = {}
    for vpn, site in picture.joined:
        sites.setdefault(site, []).append(vpn)
    sites |= {site: [] for site in picture.others}
    return {
        **_named(picture, picture.vpc.id),
        "blocks": _texts(picture.vpc.blocks),
        "subnets": [_subnet(picture, column) for column in picture.columns],
        "instances": [_machine(picture, machine) for machine in picture.machines],
        "sites": [_site(site, vpn) for site, vpn in sites.items()],
    }


def _subnet(picture: Picture, column: Column) -> Document:
    return {
        **_named(picture, column.subnet.id),
        "zone": column.zone,
        "blocks": _texts(column.subnet.blocks),
        "route_table": _named(picture, column.table_id),
        "routes": [_route(picture, route) for route in column.routes],
    }


def _route(picture: Picture, route: Route) -> Document:
    return {
        "destination": str(route.destination),
        "kind": route.kind.value,
        "target": route.target,
        "says": picture.target(route),
    }


def _machine(picture: Picture, machine: Machine) -> Document:
    return {**_named(picture, machine.id), "interfaces": [_interface(picture, port) for port in machine.ports]}


def _interface(picture: Picture, port: Port) -> Document:
    public: dict[Address, Address] = dict(port.public)
    return {
        **_named(picture, port.id),
        "device": port.device,
        "subnet": port.subnet.id,
        "mac": port.mac,
        "addresses": [{"private": str(own), "public": _text(public.get(own))} for own in port.addresses],
        "prefixes": _texts(port.prefixes),
        "groups": [_named(picture, group) for group in port.groups],
        "source_dest_check": port.source_dest_check,
    }


def _site(site: Site, vpn: list[str]) -> Document:
    return {
        "name": site.id,
        "public": _texts(site.public),
        "network": _text(site.network),
        "host": _text(site.host_ip),
        "vpn": vpn,
    }


def _named(picture: Picture, id_: str) -> Document:
    return {"id": id_, "name": picture.labels.names.get(id_, "")}


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _texts(values: Iterable[object]) -> list[str]:
    return list(map(str, values))
