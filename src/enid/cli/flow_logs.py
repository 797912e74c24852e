"""``enid flow-logs``: which flow logs there are, and what they say, from the files they are delivered to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from enid.cli import show
from enid.cli.session import Problem, settings_of, store

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from enid.flowlogs.subjects import FlowLog
    from enid.settings import Settings

_COLUMNS = ("id", "name", "resource", "traffic", "status", "folder")
_EMPTY = "no flow logs; `aws ec2 create-flow-logs` makes one"


def register(app: typer.Typer) -> None:
    app.command("flow-logs", rich_help_panel="Looking at the network")(flow_logs)


def flow_logs(
    context: typer.Context,
    log: Annotated[
        str | None, typer.Argument(help="fl-…: print its records; without it, list the logs.", show_default=False)
    ] = None,
    json: show.AsJson = False,
) -> None:
    """List flow logs, or print what one of them has recorded: what really passed, and what was rejected."""
    settings = settings_of(context)
    with store(settings) as database, database.read() as db:
        if log is None:
            listed = _listed(db, settings)
        else:
            found = _found(db, log)
    if log is None:
        show.as_json(listed) if json else show.table(listed, _COLUMNS, _EMPTY)
    elif json:
        show.as_json([dict(zip(found.fields, line.split(" "), strict=False)) for line in _records(settings, found)])
    else:
        typer.echo(" ".join(found.fields))
        for line in _records(settings, found):
            typer.echo(line)


def _listed(db: Connection, settings: Settings) -> list[dict[str, Any]]:
    from sqlalchemy import select

    from enid.cli.naming import labels
    from enid.flowlogs.delivery import folder
    from enid.flowlogs.subjects import flow_log
    from enid.store import tables as t

    names = labels(db).names
    return [
        {
            "id": row.id,
            "name": names.get(row.id, ""),
            "resource": row.resource_id,
            "traffic": row.traffic_type,
            "status": row.deliver_logs_error_message or row.deliver_logs_status,
            "folder": str(settings.flow_logs_dir / folder(flow_log(row))),
        }
        for row in db.execute(select(t.flow_logs).order_by(t.flow_logs.c.created_at, t.flow_logs.c.id))
    ]


def _found(db: Connection, word: str) -> FlowLog:
    from sqlalchemy import select

    from enid.flowlogs.subjects import flow_log
    from enid.store import tables as t

    row = db.execute(select(t.flow_logs).where(t.flow_logs.c.id == word)).one_or_none()
    if row is None:
        raise Problem(f"there is no flow log {word}: `enid flow-logs` lists them")
    return flow_log(row)


def _records(settings: Settings, log: FlowLog) -> Iterator[str]:
    """Oldest first; by interface where each has a file of its own."""
    from enid.flowlogs.delivery import files

    for file in files(settings.flow_logs_dir, log):
        with file.open() as lines:
            if log.destination_type == "s3":
                next(lines, None)  # the names of the fields
            yield from (line.rstrip("\n") for line in lines)
