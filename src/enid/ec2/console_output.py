"""GetConsoleOutput: the end of what an instance's init and user data wrote, from the file its sandbox logs to."""

from __future__ import annotations

import os
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

from enid.clock import timestamp
from enid.ec2.context import Context, Params, Result
from enid.ec2.registry import operation
from enid.ec2.resources import fetch

LIMIT = 64 * 1024
"""Bytes answered (AWS: the most recent 64 KB)."""


@operation("GetConsoleOutput")
def get_console_output(ctx: Context, params: Params) -> Result:
    """An instance that has not written anything yet has no output, and the time is now."""
    row = fetch(ctx, "i", params["InstanceId"])
    output, written = _tail(ctx.settings.instances_dir / row.id / "console.log")
    return {
        "InstanceId": row.id,
        "Timestamp": timestamp(written) if written else ctx.now,
        "Output": b64encode(output).decode() if output else None,
    }


def _tail(path: Path) -> tuple[bytes, datetime | None]:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            file.seek(max(0, status.st_size - LIMIT))
            return file.read(LIMIT), datetime.fromtimestamp(status.st_mtime, UTC)
    except FileNotFoundError:
        return b"", None
