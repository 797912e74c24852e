"""The socket nf_tables transactions and conntrack requests go through."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Sequence

from enid.netlink.nftables import transaction
from enid.netlink.socket import NETLINK_NETFILTER, NetlinkSocket

_ROOM = 64 << 20
"""A transaction is one message to the kernel, which must fit the send buffer."""
_SLACK = 4096


class NetfilterSocket(NetlinkSocket):
    """nfnetlink in a namespace."""

    def __init__(self, namespace: int | None = None, counts: Counter[str] | None = None) -> None:
        super().__init__(NETLINK_NETFILTER, namespace, counts)
        self._grow(32, socket.SO_SNDBUF, _ROOM)
        self.capacity = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) - _SLACK
        """Bytes one transaction may have. An ordinary user's is limited by ``net.core.wmem_max``."""

    def __enter__(self) -> NetfilterSocket:
        return self

    def commit(self, messages: Sequence[bytes]) -> None:
        """All of ``messages`` at once, or OSError and none of them. The error names the first message refused."""
        if not messages:
            return
        buffer = bytearray()
        requests = transaction(messages)
        first = self._number(requests, buffer)
        last = len(buffer) - len(requests[-1]) - len(requests[-2])
        buffer[last + 6] |= 0x04
        self.counts["transactions"] += 1
        self._transmit(buffer, len(messages))
        answers = self.errors()
        for place in range(len(requests)):
            code = answers.get(first + place, 0)
            if code < 0:
                what = requests[place][:64].hex()
                raise OSError(-code, f"nftables message {place} of {len(messages)}: {os.strerror(-code)} ({what}…)")
        if first + len(messages) not in answers:
            raise OSError(os.EX_IOERR, "nftables transaction was not acknowledged")
