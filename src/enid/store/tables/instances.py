"""Instances and key pairs."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Table, UniqueConstraint

from enid.store.tables.columns import flag, id_column, listed_by, metadata, number, optional_text, owner, text_column

instances = Table(
    "instances",
    metadata,
    id_column(),
    owner(index=False),
    text_column("reservation_id", index=True),
    number("launch_index"),
    text_column("image_id"),
    text_column("instance_type"),
    number("vcpus", 1),
    number("memory_mib", 512),
    optional_text("key_name"),
    text_column("availability_zone"),
    text_column("availability_zone_id"),
    text_column("vpc_id", index=True),
    text_column("subnet_id", index=True),
    text_column("state", default="pending", index=True),
    # pending | running | stopping | stopped | shutting-down | terminated
    text_column("state_reason_code"),
    text_column("state_reason_message"),
    text_column("state_transition_reason"),
    text_column("health", default="initializing"),  # initializing | ok | impaired
    text_column("launch_time"),
    number("boot", 1),  # grows with each start and reboot: the agent compares it with what runs
    optional_text("user_data"),  # base64, as given
    text_column("host_id"),
    flag("disable_api_termination"),
    flag("disable_api_stop"),
    flag("skip_os_shutdown"),  # how it was asked to end: at once
    flag("ebs_optimized"),
    flag("monitoring"),
    text_column("shutdown_behavior", default="stop"),
    optional_text("tenancy"),
    Column("metadata_options", JSON, nullable=True),
    Column("extra", JSON, nullable=True),  # fields that are only stored and shown
    text_column("changed_at"),
    listed_by("id"),
)
key_pairs = Table(
    "key_pairs",
    metadata,
    id_column(),  # key-…
    owner(),
    text_column("name"),
    text_column("fingerprint"),
    text_column("type", default="rsa"),
    text_column("public_key"),  # OpenSSH format
    text_column("created_at"),
    UniqueConstraint("account_id", "name"),
)
