"""A fabric whose VPC is served: a store that knows its ports, the agent's end, and the process without privileges,
which can be killed; and a client that asks by DHCPv6."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from dataclasses import replace
from ipaddress import IPv6Address

from fabric_lab import Guest, Lab, group, port, table, until, vpc
from sqlalchemy import delete, insert

from enid.reconcile.handover import Handover
from enid.services.ipv6 import message as m
from enid.services.ipv6.message import Association, Message
from enid.store import tables as t
from enid.topology.records import Port
from fresh_store import fresh_store

_SERVER = """
import sys
from enid.services.process import serve
from enid.settings import Settings
serve(Settings(state_dir=sys.argv[1], run_dir=sys.argv[1]))
"""
_OPTIONS = "dopt-1"
PATIENCE = 20.0


class Served:
    """A VPC with Amazon's names, whose security group allows nothing."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._ports = 3
        lab.apply(vpc(), group(ingress=(), egress=()), table())
        self.database = fresh_store(lab.settings)
        self._write()
        self._handover = Handover(lab.settings.services_socket, os.getuid(), lambda: lab.fabric.routers())
        lab.fabric.changed_routers.update(lab.fabric.routers())
        self.look()
        self._process: subprocess.Popen[bytes] | None = None
        self.serve()

    def _write(self) -> None:
        owner, block = {"account_id": "1"}, "10.0.0.0/16"
        with self.database.write() as db:
            db.execute(insert(t.accounts).values(id="1", created_at=""))
            db.execute(insert(t.vpcs).values(id=vpc().id, cidr_block=block, dhcp_options_id=_OPTIONS, **owner))
            db.execute(insert(t.subnets).values(id="subnet-a", vpc_id=vpc().id, **owner))
            db.execute(insert(t.dhcp_options).values(id=_OPTIONS, created_at="", **owner))
        self.options()

    def options(self, **given: str) -> None:
        """The VPC's option set has these beside Amazon's names, and no others."""
        values = {"domain_name_servers": "AmazonProvidedDNS", **given}
        rows = [
            {"dhcp_options_id": _OPTIONS, "position": position, "key": key.replace("_", "-"), "value": value}
            for position, (key, value) in enumerate(values.items())
        ]
        with self.database.write() as db:
            db.execute(delete(t.dhcp_option_values))
            db.execute(insert(t.dhcp_option_values), rows)

    def port(self) -> Port:
        """One more port, with an IPv6 address, and a guest."""
        self._ports += 1
        plug = port(self._ports)
        here = {"account_id": "1", "vpc_id": vpc().id, "subnet_id": "subnet-a", "mac_address": plug.mac}
        with self.database.write() as db:
            db.execute(insert(t.network_interfaces).values(id=plug.id, **here))
            db.execute(insert(t.attachments).values(id=plug.attachment_id, network_interface_id=plug.id))
        self._own(plug)
        self.lab.apply(plug)
        return plug

    def give(self, plug: Port, *sixes: str) -> None:
        """A port's interface has these IPv6 addresses now, and no others: in the store and in the fabric."""
        fours = [address for address in plug.addresses if address.version == 4]
        given = replace(plug, addresses=(*fours, *map(IPv6Address, sixes)))
        self._own(given)
        self.lab.apply(given)

    def _own(self, plug: Port) -> None:
        own = t.private_addresses
        rows = [
            {"subnet_id": "subnet-a", "ip": str(ip), "family": 6, "network_interface_id": plug.id, "position": position}
            for position, ip in enumerate(plug.addresses)
            if ip.version == 6
        ]
        with self.database.write() as db:
            db.execute(delete(own).where(own.c.network_interface_id == plug.id))
            for row in rows:
                db.execute(insert(own).values(row))

    def serve(self) -> None:
        directory = str(self.lab.settings.run_dir)
        self._process = subprocess.Popen([sys.executable, "-c", _SERVER, directory])

    def kill(self) -> None:
        """``kill -9`` whoever serves."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def look(self) -> None:
        """The agent's part: whoever came gets the sockets."""
        self._handover.look(self.lab.fabric.changed_routers)

    def close(self) -> None:
        self.kill()
        self._handover.close()
        self.database.close()


class Client:
    """A DHCPv6 client in a port's guest."""

    def __init__(self, served: Served, plug: Port, duid: bytes = b"\0\3\0\1\2\0\0\0\0\1") -> None:
        self.served, self.duid = served, duid
        self.guest: Guest = served.lab.guest(plug)
        self.index = int(self.guest.run(f"ip -o link show {plug.device}").stdout.split(":")[0])
        until(lambda: "tentative" not in self._link_local(plug), "it has an address on its link")
        own = self._link_local(plug).split()[3].split("/")[0]
        self.socket = self.guest.socket(10, 2)
        self.socket.bind((own, 546, 0, self.index))
        self.number = 0
        self.server: bytes | None = None

    def _link_local(self, plug: Port) -> str:
        return self.guest.run(f"ip -6 -o address show dev {plug.device} scope link").stdout or "tentative"

    def send(self, kind: int, *addresses: IPv6Address) -> None:
        self.number += 1
        named = Association(b"iaid", addresses=tuple((address, 0, 0) for address in addresses))
        options = [(m.CLIENT, self.duid), (m.ADDRESSES, m.encode_association(named))]
        if kind in (m.REQUEST, m.RENEW):
            assert self.server is not None
            options.append((m.SERVER, self.server))
        self._wire = m.encode(Message(kind, self.number.to_bytes(3, "big"), tuple(options)))
        self._send_again()

    def _send_again(self) -> None:
        self.socket.sendto(self._wire, ("ff02::1:2", 547, 0, self.index))

    def hear(self, patience: float = PATIENCE) -> Message | None:
        """The answer to what was sent last; None if none comes."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            self.served.look()
            if select.select([self.socket], [], [], 0.05)[0]:
                data, (source, *_) = self.socket.recvfrom(2000)
                message = m.parse(data)
                assert message is not None
                assert source.partition("%")[0] == "fe80::1"
                assert message.first(m.CLIENT) == self.duid
                self.server = message.first(m.SERVER)
                if message.transaction == self.number.to_bytes(3, "big"):
                    return message
        return None

    def ask(self, kind: int, *addresses: IPv6Address) -> dict[str, tuple[int, int]]:
        """The addresses it is told of, each with the seconds for which it is preferred and valid.

        It asks again each second, as clients do: datagrams may be lost.
        """
        self.send(kind, *addresses)
        deadline = time.monotonic() + PATIENCE
        while (answer := self.hear(1.0)) is None and time.monotonic() < deadline:
            self._send_again()
        return told(answer)

    def lease(self) -> dict[str, tuple[int, int]]:
        self.ask(m.SOLICIT)
        return self.ask(m.REQUEST)


def told(message: Message | None) -> dict[str, tuple[int, int]]:
    assert message is not None, "nobody answered"
    given = m.association(message.first(m.ADDRESSES) or b"")
    assert given is not None
    return {str(address): (preferred, valid) for address, preferred, valid in given.addresses}
