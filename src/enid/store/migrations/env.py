"""Alembic's environment: the connection is handed in by :mod:`enid.store.migrate`."""

from typing import Any, Literal

from alembic import context
from sqlalchemy.sql.elements import False_

from enid.store.tables import metadata


def render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """SQLite writes false as 0, which PostgreSQL would not take for a boolean."""
    return "sa.false()" if kind == "server_default" and isinstance(getattr(item, "arg", None), False_) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_item=render,
    render_as_batch=True,  # SQLite alters a table by copying it
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
