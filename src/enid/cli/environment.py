"""``enid env``: the variables by which the AWS CLI, SDKs and Terraform find this enid."""

from __future__ import annotations

import shlex
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from enid.cli import show
from enid.cli.session import Problem, settings_of, store

if TYPE_CHECKING:
    from enid.settings import Settings


_IN_THE_WAY = ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
"""What a user of AWS may have set: a token that belongs to another key, a profile that wins over keys."""


class Shell(StrEnum):
    SH = "sh"
    FISH = "fish"


def register(app: typer.Typer) -> None:
    app.command("env", rich_help_panel="Running it")(env)


def env(
    context: typer.Context,
    shell: Annotated[Shell, typer.Option(help="For which shell to print.")] = Shell.SH,
    account: Annotated[str | None, typer.Option(help="Whose key; the first account's by default.")] = None,
    json: show.AsJson = False,
) -> None:
    """Print what to set for AWS tools: eval "$(enid env)"."""
    settings = settings_of(context)
    endpoint = endpoint_of(settings)
    key, secret = _key(context, account)
    variables = {
        "AWS_ENDPOINT_URL_EC2": endpoint,
        "AWS_ENDPOINT_URL_STS": endpoint,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": settings.region,
        "AWS_REGION": settings.region,  # which some SDKs prefer, and the one for JavaScript needs
    }
    if json:
        show.as_json(variables)
        return
    typer.echo(f"set -e {' '.join(_IN_THE_WAY)};" if shell is Shell.FISH else f"unset {' '.join(_IN_THE_WAY)}")
    for name, value in variables.items():
        quoted = shlex.quote(value)
        typer.echo(f"set -gx {name} {quoted};" if shell is Shell.FISH else f"export {name}={quoted}")


def endpoint_of(settings: Settings) -> str:
    """The URL at which a client on this host finds the API."""
    address = f"[{settings.listen}]" if ":" in settings.listen else settings.listen
    address = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(address, address)
    return f"http://{address}:{settings.port}"


def _key(context: typer.Context, account: str | None) -> tuple[str, str]:
    from sqlalchemy import select

    from enid.store.tables import access_keys, accounts

    query = (
        select(access_keys.c.id, access_keys.c.secret)
        .join(accounts, accounts.c.id == access_keys.c.account_id)
        .order_by(accounts.c.created_at, accounts.c.id, access_keys.c.id)
    )
    if account:
        query = query.where(accounts.c.id == account)
    with store(settings_of(context)) as database, database.read() as db:
        row = db.execute(query.limit(1)).first()
    if row is None:
        whose = f"account {account} has" if account else "there is"
        raise Problem(f"{whose} no access key: `enid account key {account or 'ID'}` makes one")
    return row.id, row.secret
