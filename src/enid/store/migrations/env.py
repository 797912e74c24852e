"""Alembic's environment: the connection is handed in by :mod:`enid.store.migrate`."""

from alembic import context

from enid.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
