"""``enid ps``: the instances with their interfaces and addresses, straight from the store."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from enid.cli import show
from enid.cli.session import settings_of, store

if TYPE_CHECKING:
    from sqlalchemy import Connection

_COLUMNS = ("name", "instance", "state", "health", "device", "interface", "private", "public")
_EMPTY = "no instances; `aws ec2 run-instances` makes one, `enid demo` a whole network"


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Instances")(ps)


def ps(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Terminated instances too.")] = False,
    json: show.AsJson = False,
) -> None:
    """List instances: state, health, interfaces, addresses."""
    settings = settings_of(context)
    with store(settings) as database, database.read() as db:
        found = instances(db, everything)
    if json:
        show.as_json(found)
        return
    from enid.supervisor.control import running

    if running(settings) is None:
        typer.echo("enid is not up: so it will be after `enid up`", err=True)
    show.table([row for machine in found for row in _rows(machine)], _COLUMNS, _EMPTY)


def instances(db: Connection, everything: bool = False) -> list[dict[str, Any]]:
    """One dictionary an instance, by launch time: id, name, account, state, health, type, zone, and ``interfaces``:
    id, name, device (``eth0``), status, mac, ``addresses`` (private, public, primary), prefixes, groups."""
    from sqlalchemy import select

    from enid.cli.naming import labels
    from enid.store import tables as t

    query = select(t.instances).order_by(t.instances.c.launch_time, t.instances.c.launch_index, t.instances.c.id)
    if not everything:
        query = query.where(t.instances.c.state != "terminated")
    names = labels(db).names
    interfaces = _interfaces(db, names)
    return [
        {
            "id": row.id,
            "name": names.get(row.id, ""),
            "account": row.account_id,
            "state": row.state,
            "health": row.health if row.state == "running" else "",
            "type": row.instance_type,
            "zone": row.availability_zone,
            "interfaces": interfaces[row.id],
        }
        for row in db.execute(query)
    ]


def _interfaces(db: Connection, names: Any) -> defaultdict[str, list[dict[str, Any]]]:
    from sqlalchemy import select

    from enid.store import tables as t
    from enid.topology.records import number_of

    addresses: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    private, public = t.private_addresses.c, t.public_addresses.c
    mapped = (private.network_interface_id == public.network_interface_id) & (private.ip == public.private_ip)
    query = select(t.private_addresses, public.ip.label("public")).outerjoin(t.public_addresses, mapped)
    for row in db.execute(query.order_by(private.family, private.position)):
        one = {"private": row.ip, "public": row.public, "primary": row.is_primary}
        addresses[row.network_interface_id].append(one)
    prefixes: defaultdict[str, list[str]] = defaultdict(list)
    delegated = t.delegated_prefixes.c
    for row in db.execute(select(t.delegated_prefixes).order_by(delegated.family, delegated.block)):
        prefixes[row.network_interface_id].append(row.cidr)
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for row in db.execute(select(t.network_interface_groups).order_by(t.network_interface_groups.c.position)):
        groups[row.network_interface_id].append(row.group_id)
    enis, plugs = t.network_interfaces.c, t.attachments.c
    attached = select(t.attachments, enis.mac_address, enis.subnet_id).join(t.network_interfaces)
    result: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in db.execute(attached.order_by(plugs.network_card_index, plugs.device_index)):
        result[row.instance_id].append(
            {
                "id": row.network_interface_id,
                "name": names.get(row.network_interface_id, ""),
                "device": f"eth{number_of(row.network_card_index, row.device_index)}",
                "status": row.status,
                "mac": row.mac_address,
                "subnet": row.subnet_id,
                "addresses": addresses[row.network_interface_id],
                "prefixes": prefixes[row.network_interface_id],
                "groups": groups[row.network_interface_id],
            }
        )
    return result


def _rows(machine: dict[str, Any]) -> list[dict[str, Any]]:
    """One line an interface; the instance's own cells only on its first."""
    first = {
        "name": machine["name"],
        "instance": machine["id"],
        "state": machine["state"],
        "health": machine["health"],
    }
    blank = dict.fromkeys(first, "")
    rows = []
    for number, interface in enumerate(machine["interfaces"] or [None]):
        rows.append({**(blank if number else first), **_cells(interface)})
    return rows


def _cells(interface: dict[str, Any] | None) -> dict[str, Any]:
    if interface is None:
        return dict.fromkeys(("device", "interface", "private", "public"), "")
    moving = "" if interface["status"] == "attached" else f" ({interface['status']})"
    return {
        "device": interface["device"],
        "interface": interface["id"] + moving,
        "private": [*(address["private"] for address in interface["addresses"]), *interface["prefixes"]],
        "public": [address["public"] or "" for address in interface["addresses"]],
    }
