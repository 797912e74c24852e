"""User data as the instance's init expects it: cloud-init also takes it compressed, so enid does."""

from __future__ import annotations

import zlib

_LIMIT = 64 * 1024
"""EC2 takes 16 KiB before compression is undone; what crosses to the spawner must stay small."""


def plain(data: bytes) -> bytes:
    """Undo gzip. What is no valid gzip, or grows too big, stays as it is (and will not run)."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    inflater = zlib.decompressobj(wbits=31)
    try:
        inflated = inflater.decompress(data, _LIMIT)
    except zlib.error:
        return data
    return inflated if inflater.eof else data
