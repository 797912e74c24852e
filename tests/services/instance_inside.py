"""An instance's view of its VPC's services, without packets: it asks from an address, as the router lets it."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from enid.services.http import Request, Response
from enid.services.imds.service import Metadata
from enid.services.imds.tokens import Tokens


class Inside:
    """``inside.get("/latest/meta-data/mac")`` → the body; see :meth:`ask` for all of an answer."""

    def __init__(self, account: Any, vpc_id: str, address: str, tokens: Tokens | None = None) -> None:
        self.service = Metadata(account.database.read, account.settings.region, tokens or Tokens(b"key"))
        self.vpc_id = vpc_id
        self.address = address

    def ask(self, method: str, path: str, address: str = "", **headers: str) -> Response | None:
        """Header names are written with underscores."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        caller = ip_address(address or self.address)
        return self.service.answer(self.vpc_id, caller, Request(method, path, given))

    def status(self, method: str, path: str, **headers: str) -> int:
        response = self.ask(method, path, **headers)
        assert response is not None
        return response.status

    def get(self, path: str) -> str:
        """The body; fails unless the answer is 200."""
        response = self.ask("GET", f"/latest/{path}")
        assert response is not None
        assert response.status == 200, (path, response.status)
        return response.body.decode()

    def lines(self, path: str) -> list[str]:
        return self.get(path).splitlines()

    def missing(self, path: str) -> bool:
        return self.status("GET", f"/latest/{path}") == 404
