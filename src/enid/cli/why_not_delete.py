"""``enid why-not-delete ID``: who stands in the way of a deletion, and what would move them out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from enid.cli import naming, show
from enid.cli.session import Problem, settings_of, store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.tree import Tree

    from enid.ec2.deletions import Call, Obstacle


def register(app: typer.Typer) -> None:
    app.command("why-not-delete", rich_help_panel="Looking at the network")(why_not_delete)


def why_not_delete(
    context: typer.Context,
    id_: Annotated[str, typer.Argument(metavar="ID", help="vpc-…, subnet-…, sg-…, eni-… and so on.")],
    json: show.AsJson = False,
) -> None:
    """Say what must go before something can be deleted. Exit code 0: nothing; 1: something; 2: there is no such thing.

    The deletion is tried, and undone: what is said is what the API would answer.
    """
    import enid.ec2.catalogue  # noqa: F401  registers the operations
    from enid.ec2.deletions import obstacles

    settings = settings_of(context)
    with store(settings) as database, database.write(alone=True) as db:
        try:
            found = obstacles(db, settings, id_)
        except KeyError:
            raise Problem(f"there is no {id_!r}", 2) from None
        names = naming.labels(db).names
    if json:
        show.as_json(_document(found))
    else:
        show.console().print(_tree(found, names))
    raise typer.Exit(1 if found.refusal else 0)


def _document(found: Obstacle) -> dict[str, Any]:
    refusal = found.refusal
    return {
        "id": found.id,
        "refusal": {"code": refusal.code, "message": refusal.message} if refusal else None,
        "deleted_by": [{"operation": call.operation, "parameters": call.parameters} for call in found.calls],
        "behind": [_document(other) for other in found.behind],
    }


def _tree(found: Obstacle, names: Mapping[str, str]) -> Tree:
    from rich.text import Text
    from rich.tree import Tree

    name = f" ({names[found.id]})" if found.id in names else ""
    if found.refusal:
        says = Text(found.refusal.code if found.behind else found.refusal.message, "bad")
    else:
        says = Text("; ".join(map(command, found.calls)), "good")
    tree = Tree(Text.assemble((found.id + name, "bold"), "  ", says), guide_style="dim")
    for other in found.behind:
        tree.add(_tree(other, names))
    return tree


def command(call: Call) -> str:
    """The AWS CLI's words for a call."""
    from botocore import xform_name

    options = [
        f"--{xform_name(member, '-')} {' '.join(value) if isinstance(value, list) else value}"
        for member, value in call.parameters.items()
    ]
    return " ".join(["aws ec2", xform_name(call.operation, "-"), *options])
