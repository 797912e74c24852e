"""Who asks: accounts, their access keys, and the calls they repeat. And what changed: the journal."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Integer, PrimaryKeyConstraint, Table, Text

from enid.store.tables.columns import id_column, metadata, parent, text_column

accounts = Table("accounts", metadata, id_column(), text_column("created_at"))
access_keys = Table("access_keys", metadata, id_column(), text_column("secret"), parent("account_id", "accounts.id"))

journal = Table(
    "journal",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("id", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""Written in the transaction of the rows it speaks of: "look at this key again", never "do this"."""

hosts = Table(
    "hosts",
    metadata,
    id_column(),
    Column("seq", BigInteger, nullable=False, server_default="0"),
    text_column("seen_at"),
)
"""One row per agent: up to which journal entry it needs nothing any more, and when it said so."""

client_tokens = Table(
    "client_tokens",
    metadata,
    Column("account_id", Text),
    Column("action", Text),
    Column("token", Text),
    text_column("request_hash"),
    Column("result", JSON, nullable=False),
    text_column("created_at", index=True),
    PrimaryKeyConstraint("account_id", "action", "token"),
)
