"""``enid site``: places outside AWS that enid plays: a host on the internet, a corporate network behind a tunnel."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Annotated, Any

import typer

from enid.cli import show
from enid.cli.naming import SITE_NAME
from enid.cli.session import Problem, settings_of, store

if TYPE_CHECKING:
    from enid.settings import Settings

app = typer.Typer(help="Places outside AWS that enid plays.", no_args_is_help=True)
_DOCUMENTATION = IPv6Network("2001:db8::/32")
_Name = Annotated[str, typer.Argument(help="Lower-case letters, digits, hyphens.", show_default=False)]


@app.command()
def create(
    context: typer.Context,
    name: _Name,
    public_ip: Annotated[str, typer.Option(help="Its address on the internet.", show_default=False)],
    public_ipv6: Annotated[str | None, typer.Option(help="Its IPv6 address there.")] = None,
    network: Annotated[str | None, typer.Option(help="The network behind it, as CIDR.")] = None,
    host_ip: Annotated[str | None, typer.Option(help="Its host's own address in that network.")] = None,
) -> None:
    """Put a host on the internet or, with --network, a corporate network for a customer gateway with its address."""
    from sqlalchemy import insert
    from sqlalchemy.exc import IntegrityError

    from enid.store.journal import note
    from enid.store.tables import sites

    settings = settings_of(context)
    values = {**_checked(name, public_ip, network, host_ip), "public_ipv6": _checked_ipv6(public_ipv6)}
    with store(settings) as database:
        try:
            with database.write(alone=True) as db:
                _refuse_elastic(db, values["public_ip"])
                _refuse_tunnel(db, values["public_ip"])
                db.execute(insert(sites).values(**values))
                note(db, [("site", name)])
        except IntegrityError:
            also = f" or {values['public_ipv6']}" if public_ipv6 else ""
            raise Problem(f"there is a site {name!r} or one with the address {public_ip}{also} already") from None
    _wake(settings)
    typer.echo(f"site {name} has {public_ip}; `enid exec site/{name}` enters it", err=True)


@app.command()
def delete(context: typer.Context, name: _Name) -> None:
    """Take a site away; its VPN connections go down."""
    from sqlalchemy import delete as remove

    from enid.store.journal import note
    from enid.store.tables import sites

    settings = settings_of(context)
    with store(settings) as database, database.write(alone=True) as db:
        if db.execute(remove(sites).where(sites.c.name == name)).rowcount == 0:
            raise Problem(f"there is no site {name!r}: `enid site list` lists them")
        note(db, [("site", name)])
    _wake(settings)


@app.command("list")
def list_(context: typer.Context, json: show.AsJson = False) -> None:
    """List the sites."""
    from sqlalchemy import select

    from enid.store.tables import sites

    with store(settings_of(context)) as database, database.read() as db:
        rows = [dict(row._mapping) for row in db.execute(select(sites).order_by(sites.c.name))]
    if json:
        show.as_json(rows)
    else:
        show.table(
            rows, ("name", "public_ip", "public_ipv6", "network", "host_ip"), "no sites; `enid site create` makes one"
        )


def _checked(name: str, public_ip: str, network: str | None, host_ip: str | None) -> dict[str, str | None]:
    """A row for the table, in canonical form.

    :raises Problem: what does not fit.
    """
    if not SITE_NAME.fullmatch(name):
        raise Problem(f"{name!r} is no name for a site: up to 32 lower-case letters, digits and hyphens", 2)
    try:
        public = IPv4Address(public_ip)
        block = ip_network(network) if network else None
        host = ip_address(host_ip) if host_ip else None
    except ValueError as error:
        raise Problem(f"{error}", 2) from None
    if host and not block:
        raise Problem("--host-ip is an address in --network: give both", 2)
    if block and host is None:
        host = ip_address(str(next(iter(block.hosts()))))
    if block and host and (host not in block or host in (block.network_address, block.broadcast_address)):
        raise Problem(f"{host} is no host's address in {block}", 2)
    return {"name": name, "public_ip": str(public), "network": _text(block), "host_ip": _text(host)}


def _checked_ipv6(public_ipv6: str | None) -> str | None:
    """:raises Problem: no host on the internet can have it, or an interface might."""
    from enid.ec2.vpc_cidr_blocks import POOL

    if public_ipv6 is None:
        return None
    try:
        address = IPv6Address(public_ipv6)
    except ValueError as error:
        raise Problem(f"{error}", 2) from None
    if address in POOL:
        raise Problem(f"{address} is in {POOL}, where VPCs get their blocks from: choose another", 2)
    anybodys = (address.is_global and not address.is_multicast) or address in _DOCUMENTATION
    if address.scope_id or not anybodys:
        raise Problem(f"{address} is no address on the internet; {_DOCUMENTATION} is free to use", 2)
    return str(address)


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)


def _refuse_elastic(db: Any, public_ip: str | None) -> None:
    from sqlalchemy import select

    from enid.store.tables import public_addresses

    if db.execute(select(public_addresses.c.ip).where(public_addresses.c.ip == public_ip)).first():
        raise Problem(f"{public_ip} is an Elastic IP or an instance's public address: choose another")


def _refuse_tunnel(db: Any, public_ip: str | None) -> None:
    from sqlalchemy import select

    from enid.store.tables import vpn_connections

    connections = db.execute(select(vpn_connections).where(vpn_connections.c.state == "available"))
    for row in connections:
        if public_ip in (tunnel["OutsideIpAddress"] for tunnel in row.tunnels):
            raise Problem(f"{public_ip} is an outside address of {row.id}: choose another")


def _wake(settings: Settings) -> None:
    from enid.store.journal import wake

    wake(settings.agent_socket)
