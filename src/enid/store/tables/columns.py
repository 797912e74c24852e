"""What the tables are made of: the naming of constraints, and the kinds of columns."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, MetaData, Text, false, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def text_column(name: str, *, index: bool = False, default: str | None = "", unique: bool = False) -> Column[str]:
    return Column(name, Text, nullable=False, index=index, unique=unique, server_default=default)


def optional_text(name: str, *, index: bool = False, unique: bool = False) -> Column[str | None]:
    return Column(name, Text, nullable=True, index=index, unique=unique)


def flag(name: str, default: str = "0") -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=false() if default == "0" else text("true"))


def number(name: str, default: int = 0) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=str(default))


def id_column(name: str = "id") -> Column[str]:
    return Column(name, Text, primary_key=True)


def parent(name: str, target: str) -> Column[str]:
    return Column(name, Text, ForeignKey(target, ondelete="CASCADE"), nullable=False, index=True)


def deleted_at() -> Column[str | None]:
    """For what stays in sight for a while after it was deleted, as AWS shows it: state ``deleted``, and since when."""
    return optional_text("deleted_at")


def owner(*, index: bool = True) -> Column[str]:
    """:param index: not where the table may be large, and has :func:`listed_by`."""
    return Column("account_id", Text, nullable=False, index=index)


def listed_by(*columns: str) -> Index:
    """For a large table: an account's rows in the order they are listed in, so that a page costs what is on it."""
    return Index(None, "account_id", *columns)
