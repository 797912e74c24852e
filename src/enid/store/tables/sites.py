"""The world outside AWS."""

from __future__ import annotations

from sqlalchemy import Column, Table, Text

from enid.store.tables.columns import metadata, optional_text, text_column

sites = Table(
    "sites",
    metadata,
    Column("name", Text, primary_key=True),
    text_column("public_ip", unique=True),
    optional_text("public_ipv6", unique=True),
    optional_text("network"),  # CIDR behind it, e.g. a corporate network
    optional_text("host_ip"),  # the host's own address in that network
)
"""A place outside AWS that enid plays: a host on the internet, or a corporate network behind a customer gateway whose
``ip_address`` is the site's ``public_ip``."""
