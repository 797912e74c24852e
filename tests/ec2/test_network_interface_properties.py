"""Whatever order interfaces come and go in: no address twice, none that is reserved, and the subnet counts right."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, precondition, rule
from small_network import Network
from sqlalchemy import insert

from accounts import FIRST, Account
from enid.ec2.errors import AwsError
from enid.settings import Settings
from enid.store.tables import accounts
from fresh_store import fresh_store

BASE = IPv4Address("10.0.3.0")
USABLE = {str(BASE + offset) for offset in range(4, 15)}
ANY_ADDRESS = st.integers(0, 15).map(lambda offset: str(BASE + offset))


class SmallSubnet(RuleBasedStateMachine):
    """A /28 with its eleven addresses, and a model of who has which."""

    interfaces = Bundle("interfaces")

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        path = Path(self.directory.name)
        settings = Settings(state_dir=path, run_dir=path)
        self.database = fresh_store(settings)
        with self.database.write() as db:
            db.execute(insert(accounts).values(id=FIRST))
        self.call = Account(self.database, settings, FIRST)
        self.net = Network(self.call)
        self.owner: dict[str, str] = {}
        """Address → interface."""
        self.primary: dict[str, str] = {}
        """Interface → its primary address, for life."""

    def teardown(self) -> None:
        self.database.close()
        self.directory.cleanup()

    def attempt(self, action: str, *, allowed: bool, **params: Any) -> dict[str, Any] | None:
        """The call succeeds if and only if the model allows it."""
        if allowed:
            return self.call(action, **params)
        with pytest.raises(AwsError):
            self.call(action, **params)
        return None

    @rule(target=interfaces, secondary=st.integers(0, 3))
    def create(self, secondary: int) -> Any:
        allowed = len(self.owner) + 1 + secondary <= len(USABLE)
        return self._created(allowed, SecondaryPrivateIpAddressCount=secondary)

    @rule(target=interfaces, ip=ANY_ADDRESS, secondary=st.integers(0, 2))
    def create_with_address(self, ip: str, secondary: int) -> Any:
        allowed = ip in USABLE and ip not in self.owner and len(self.owner) + 1 + secondary <= len(USABLE)
        return self._created(allowed, PrivateIpAddress=ip, SecondaryPrivateIpAddressCount=secondary)

    def _created(self, allowed: bool, **params: Any) -> Any:
        answer = self.attempt("CreateNetworkInterface", allowed=allowed, SubnetId=self.net.small, **params)
        if answer is None:
            return multiple()
        shown = answer["NetworkInterface"]
        id_ = str(shown["NetworkInterfaceId"])
        new = [item["PrivateIpAddress"] for item in shown["PrivateIpAddresses"]]
        self._take(id_, new)
        self.primary[id_] = new[0]
        assert shown["PrivateIpAddress"] == params.get("PrivateIpAddress", new[0])
        assert len(new) == 1 + params["SecondaryPrivateIpAddressCount"]
        return id_

    def _take(self, interface: str, new: list[str]) -> None:
        assert set(new) <= USABLE
        assert not set(new) & set(self.owner)
        assert len(set(new)) == len(new)
        self.owner.update(dict.fromkeys(new, interface))

    @rule(interface=consumes(interfaces))
    def delete(self, interface: str) -> None:
        self.call("DeleteNetworkInterface", NetworkInterfaceId=interface)
        self.owner = {ip: owner for ip, owner in self.owner.items() if owner != interface}
        del self.primary[interface]

    @rule(interface=interfaces, count=st.integers(1, 4))
    def assign(self, interface: str, count: int) -> None:
        answer = self.attempt(
            "AssignPrivateIpAddresses",
            allowed=len(self.owner) + count <= len(USABLE),
            NetworkInterfaceId=interface,
            SecondaryPrivateIpAddressCount=count,
        )
        if answer:
            self._take(interface, [item["PrivateIpAddress"] for item in answer["AssignedPrivateIpAddresses"]])

    @rule(interface=interfaces, ips=st.sets(ANY_ADDRESS, min_size=1, max_size=3), move=st.booleans())
    def assign_addresses(self, interface: str, ips: set[str], move: bool) -> None:
        self._assign_addresses(interface, ips, move)

    @precondition(lambda self: self.secondary())
    @rule(interface=interfaces, pick=st.integers(0, 10), move=st.booleans())
    def assign_an_address_that_is_a_secondary_one(self, interface: str, pick: int, move: bool) -> None:
        secondary = self.secondary()
        self._assign_addresses(interface, {secondary[pick % len(secondary)]}, move)

    def secondary(self) -> list[str]:
        """The addresses that may move."""
        return sorted(set(self.owner) - set(self.primary.values()))

    def _assign_addresses(self, interface: str, ips: set[str], move: bool) -> None:
        taken = ips & set(self.owner)
        answer = self.attempt(
            "AssignPrivateIpAddresses",
            allowed=ips <= USABLE and not ips & set(self.primary.values()) and (move or not taken),
            NetworkInterfaceId=interface,
            PrivateIpAddresses=sorted(ips),
            AllowReassignment=move,
        )
        if answer:
            new = {item["PrivateIpAddress"] for item in answer["AssignedPrivateIpAddresses"]}
            assert new == {ip for ip in ips if self.owner.get(ip) != interface}
            self.owner.update(dict.fromkeys(ips, interface))

    @precondition(lambda self: self.secondary())
    @rule(pick=st.integers(0, 10))
    def unassign_one(self, pick: int) -> None:
        secondary = self.secondary()
        ip = secondary[pick % len(secondary)]
        owner = self.owner.pop(ip)
        self.call("UnassignPrivateIpAddresses", NetworkInterfaceId=owner, PrivateIpAddresses=[ip])

    @rule(interface=interfaces, ips=st.sets(ANY_ADDRESS, min_size=1, max_size=2))
    def unassign(self, interface: str, ips: set[str]) -> None:
        mine = {ip for ip, owner in self.owner.items() if owner == interface} - {self.primary[interface]}
        answer = self.attempt(
            "UnassignPrivateIpAddresses",
            allowed=ips <= mine,
            NetworkInterfaceId=interface,
            PrivateIpAddresses=sorted(ips),
        )
        if answer is not None:
            for ip in ips:
                del self.owner[ip]

    @invariant()
    def everyone_has_what_the_model_says(self) -> None:
        shown = self.call("DescribeNetworkInterfaces")["NetworkInterfaces"]
        has = {
            address["PrivateIpAddress"]: item["NetworkInterfaceId"]
            for item in shown
            for address in item["PrivateIpAddresses"]
        }
        assert has == self.owner
        assert {item["NetworkInterfaceId"]: item["PrivateIpAddress"] for item in shown} == self.primary
        for item in shown:
            assert [address["Primary"] for address in item["PrivateIpAddresses"]].count(True) == 1
            assert item["PrivateIpAddresses"][0]["PrivateIpAddress"] == item["PrivateIpAddress"]

    @invariant()
    def the_subnet_counts_what_is_left(self) -> None:
        (subnet,) = self.call("DescribeSubnets", SubnetIds=[self.net.small])["Subnets"]
        assert subnet["AvailableIpAddressCount"] == len(USABLE) - len(self.owner)


TestSmallSubnet = SmallSubnet.TestCase
TestSmallSubnet.settings = hypothesis_settings(max_examples=25, stateful_step_count=25, deadline=None)
