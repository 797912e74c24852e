"""Flow logs: what is watched, and where its records go."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Table, UniqueConstraint

from enid.store.tables.columns import id_column, metadata, number, optional_text, owner, text_column

flow_logs = Table(
    "flow_logs",
    metadata,
    id_column(),  # fl-…
    owner(),
    text_column("resource_id", index=True),  # vpc-…, subnet-… or eni-…
    text_column("traffic_type"),  # ACCEPT | REJECT | ALL
    text_column("log_destination_type"),  # s3 | cloud-watch-logs
    text_column("destination"),  # bucket/prefix, or the log group's name
    optional_text("log_destination"),  # the ARN, as given
    optional_text("log_group_name"),
    text_column("log_format"),
    number("max_aggregation_interval", 600),
    optional_text("deliver_logs_permission_arn"),
    Column("destination_options", JSON, nullable=True),
    text_column("deliver_logs_status", default="SUCCESS"),  # SUCCESS | FAILED, written by who delivers
    optional_text("deliver_logs_error_message"),
    text_column("created_at"),
    UniqueConstraint(
        "resource_id", "traffic_type", "log_destination_type", "destination", name="uq_flow_logs_configuration"
    ),
)
