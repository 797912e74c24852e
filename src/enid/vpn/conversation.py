"""What is said to a strongSwan, and what it answers."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from vici import Session
from vici.exception import CommandException, DeserializationException, SessionException

from enid.vpn.ends import End, Tunnel
from enid.vpn.strongswan import connection, is_up, secret

_TIMEOUT = 5.0
_WRONG = (
    *(CommandException, DeserializationException, SessionException),
    *(ValueError, LookupError, TypeError, AttributeError, struct.error),
)


class Conversation:
    """With the one whose control socket ``connection`` leads to.

    :raises OSError: in all methods: it does not answer, or refuses. Then have another one.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.settimeout(_TIMEOUT)
        self._session = Session(self._socket)

    def tell(self, end: End) -> None:
        """Keys and connections; tunnels that are up stay up."""
        with _refusals():
            for tunnel in end.tunnels:
                self._session.load_shared(secret(tunnel))
                self._session.load_conn(connection(end, tunnel))

    def tunnels(self) -> dict[str, bool]:
        """Those that are up, or on the way there: name → it is up."""
        found: dict[str, bool] = {}
        with _refusals():
            for associations in list(self._session.list_sas()):
                for name, association in associations.items():
                    if (up := is_up(association)) is not None:
                        found[name] = found.get(name, False) or up
        return found

    def begin(self, tunnel: Tunnel) -> None:
        """Does not wait for the outcome."""
        with _refusals():
            _exhaust(self._session.initiate({"ike": tunnel.name, "child": tunnel.name, "timeout": "-1"}))

    def cut(self, name: str) -> None:
        """Forget a tunnel, whatever the peer thinks of it."""
        with _refusals():
            _exhaust(self._session.terminate({"ike": name, "force": "yes", "timeout": "-1"}))

    def close(self) -> None:
        self._socket.close()


def _exhaust(answers: Iterable[object]) -> None:
    for _ in answers:
        pass


@contextmanager
def _refusals() -> Iterator[None]:
    """VICI's errors, as the system's; and what makes no sense, since strongSwan reads what strangers send."""
    try:
        yield
    except _WRONG as error:
        raise OSError(f"strongSwan: {error}") from error
