"""``enid net``: the picture of a VPC, on the terminal, as an SVG file, or for a script."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from enid.cli import naming, show
from enid.cli.session import Problem, settings_of, store

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Connection

    from enid.settings import Settings
    from enid.topology.picture import Picture

_PIPE_WIDTH = 100


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Looking at the network")(net)


def net(
    context: typer.Context,
    vpc: Annotated[str | None, typer.Argument(help="vpc-… or a Name tag; the one in use by default.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Write the picture to this SVG file (needs Graphviz).")] = None,
    dot: Annotated[bool, typer.Option("--dot", help="Print the picture in Graphviz's own language.")] = False,
    json: show.AsJson = False,
) -> None:
    """Draw a VPC: what is in it and what is connected to what."""
    drawn = load(settings_of(context), vpc)
    if svg:
        write_svg(drawn, svg)
        typer.echo(f"wrote {svg}", err=True)
    elif dot:
        from enid.topology.picture_dot import dot as graph

        typer.echo(graph(drawn), nl=False)
    elif json:
        from enid.topology.picture_json import document

        show.as_json(document(drawn))
    else:
        print_picture(drawn, show.console())


def load(settings: Settings, word: str | None = None) -> Picture:
    """The picture of the VPC that ``word`` names, from the store as it is now.

    :raises Problem: there is no such VPC, or several might be meant.
    """
    from enid.store.snapshot import world
    from enid.topology.picture import picture

    with store(settings) as database, database.read() as db:
        vpc = naming.vpc(db, word)
        return picture(world(db, settings.host_id), vpc, naming.labels(db), _tables(db, vpc))


def print_picture(drawn: Picture, out: Console) -> None:
    """In colour and as wide as the terminal where it is one."""
    from rich.text import Text

    from enid.topology.picture_text import draw

    for line in draw(drawn, out.width if out.is_terminal else _PIPE_WIDTH):
        words = Text()
        for text, role in line:
            words.append(text, style=role or None)
        out.print(words, no_wrap=True, overflow="ignore", crop=False)


def write_svg(drawn: Picture, path: Path) -> None:
    """Have Graphviz lay the picture out.

    :raises Problem: Graphviz is not installed, or the file cannot be written.
    """
    from enid.topology.picture_dot import dot as graph

    program = shutil.which("dot")
    if program is None:
        raise Problem("an SVG picture needs Graphviz: `sudo apt-get install graphviz` (or `enid net` without --svg)")
    result = subprocess.run([program, "-Tsvg"], input=graph(drawn), capture_output=True, text=True, check=False)
    if result.returncode:
        raise Problem(
            f"Graphviz failed: {result.stderr.strip().splitlines()[-1] if result.stderr else 'no reason given'}"
        )
    try:
        path.write_text(result.stdout)
    except OSError as error:
        raise Problem(f"cannot write {path}: {error.strerror}") from None


def _tables(db: Connection, vpc: str) -> dict[str, str]:
    """Subnet → its route table, the VPC's main one where it has none of its own."""
    from sqlalchemy import select

    from enid.store import tables as t

    associations = t.route_table_associations.c
    rows = list(db.execute(select(t.route_table_associations).where(associations.vpc_id == vpc)))
    main = next((row.route_table_id for row in rows if row.main), "")
    own = {row.subnet_id: row.route_table_id for row in rows if row.subnet_id}
    subnets = db.execute(select(t.subnets.c.id).where(t.subnets.c.vpc_id == vpc)).scalars()
    return {subnet: own.get(subnet, main) for subnet in subnets}
