"""``enid account``: accounts and their access keys."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from enid.cli import show
from enid.cli.session import Problem, settings_of, store

app = typer.Typer(help="Accounts and their access keys.", no_args_is_help=True)


@app.command()
def create(
    context: typer.Context,
    id_: Annotated[str | None, typer.Argument(metavar="ID", help="Twelve digits; chosen at random by default.")] = None,
    json: show.AsJson = False,
) -> None:
    """Make an account with a first access key."""
    from sqlalchemy import insert
    from sqlalchemy.exc import IntegrityError

    from enid import clock
    from enid.store.tables import accounts
    from enid.supervisor.bootstrap import new_account_id

    if id_ is not None and not re.fullmatch(r"[0-9]{12}", id_):
        raise Problem(f"{id_!r} is no account: an account is twelve digits", 2)
    account = id_ or new_account_id()
    with store(settings_of(context)) as database:
        try:
            with database.write(alone=True) as db:
                db.execute(insert(accounts).values(id=account, created_at=clock.now()))
                made = _new_key(db, account)
        except IntegrityError:
            raise Problem(f"there is an account {account} already: `enid account key {account}` makes a key") from None
    _print_key(made, json)


@app.command()
def key(
    context: typer.Context,
    account: Annotated[str, typer.Argument(metavar="ID", help="The account.", show_default=False)],
    json: show.AsJson = False,
) -> None:
    """Make another access key for an account."""
    from sqlalchemy import select

    from enid.store.tables import accounts

    with store(settings_of(context)) as database, database.write(alone=True) as db:
        if db.execute(select(accounts.c.id).where(accounts.c.id == account)).first() is None:
            raise Problem(f"there is no account {account}: `enid account list` lists them")
        made = _new_key(db, account)
    _print_key(made, json)


@app.command("remove-key")
def remove_key(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The access key's id, AKIA….", show_default=False)],
) -> None:
    """Remove an access key: within a second nobody can use it any more. The account and what it has stay."""
    from sqlalchemy import delete

    from enid.store.tables import access_keys

    with store(settings_of(context)) as database, database.write(alone=True) as db:
        if not db.execute(delete(access_keys).where(access_keys.c.id == key)).rowcount:
            raise Problem(f"there is no access key {key}: `enid account list` lists them")


@app.command("list")
def list_(context: typer.Context, json: show.AsJson = False) -> None:
    """List accounts and the ids of their keys; the secrets come from `enid env --account ID`."""
    from sqlalchemy import select

    from enid.store.tables import access_keys, accounts

    with store(settings_of(context)) as database, database.read() as db:
        rows: dict[str, dict[str, Any]] = {
            row.id: {"account": row.id, "created": row.created_at, "access_keys": []}
            for row in db.execute(select(accounts).order_by(accounts.c.created_at, accounts.c.id))
        }
        for row in db.execute(select(access_keys.c.id, access_keys.c.account_id).order_by(access_keys.c.id)):
            rows[row.account_id]["access_keys"].append(row.id)
    if json:
        show.as_json(list(rows.values()))
    else:
        columns = ("account", "access_keys", "created")
        show.table(list(rows.values()), columns, "no accounts; `enid account create` makes one")


def _new_key(db: Any, account: str) -> dict[str, str]:
    from sqlalchemy import insert

    from enid.store.tables import access_keys
    from enid.supervisor.bootstrap import new_access_key

    made = new_access_key()
    db.execute(insert(access_keys).values(**made, account_id=account))
    return {"account": account, **made}


def _print_key(made: dict[str, str], json: bool) -> None:
    if json:
        show.as_json(made)
        return
    for name, value in made.items():
        typer.echo(f"{name:<8} {value}")
