"""One live sandbox as the agent holds it: descriptors that cannot be confused with another process's."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from enid.guest.network import GuestNetwork
from enid.guest.records import Record, birth


class Watch:
    """A sandbox's record, a pidfd of its init and its network namespace. Raises ProcessLookupError when it is gone."""

    def __init__(self, record: Record, *, fresh: bool = False) -> None:
        """:param fresh: it was just started, and its init has not been released."""
        self.record = record
        self.unwanted = False
        """Killed on purpose: its end is no event."""
        self.pidfd = os.pidfd_open(record.pid)
        try:
            self.namespace: int | None = os.open(f"/proc/{record.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            os.close(self.pidfd)
            raise ProcessLookupError(f"{record.id}: {error.strerror}") from error
        self.network = GuestNetwork(self.namespace, fresh=fresh)
        if birth(record.pid) != record.born:  # asked last: had the pid been reused before, it would show
            self.close()
            raise ProcessLookupError(f"{record.id}: its init is gone")

    def signal(self, number: int) -> None:
        """Signal init."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def leave_network(self) -> None:
        """Let go of the network namespace, so that it ends with its last process."""
        self.network.close()
        if self.namespace is not None:
            os.close(self.namespace)
            self.namespace = None

    def close(self) -> None:
        """Stop watching."""
        self.leave_network()
        os.close(self.pidfd)
