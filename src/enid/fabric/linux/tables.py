"""A VPC's route tables as they are kept: which are in use, how the kernel holds them, and who leads where."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Set

from enid.fabric.linux import routing
from enid.fabric.linux.node import Node, RouteKey, key_of
from enid.netlink.routes import Network, Route
from enid.topology.records import RouteTable, Subnet, TargetKind, Vpc


class Tables:
    """The route tables in ``node``. Changes are noted, then :meth:`stage` stages what they touch."""

    def __init__(self, node: Node, resolve: routing.Resolve) -> None:
        self._node = node
        self._resolve = resolve
        self._tables: dict[str, RouteTable] = {}
        self._users: Counter[str] = Counter()
        self._inside: set[str] = set()
        """Tables with a route within the VPC."""
        self._ruling: tuple[set[str], set[str], frozenset[Network]] | None = None
        """While tables are kernel tables of their own: those in use, those of them with a route within the VPC, and
        where these routes lead to."""
        self._staged: dict[str, list[RouteKey]] = {}
        self._targeting: defaultdict[str, set[str]] = defaultdict(set)
        self._touched: set[str] = set()
        self._stale = False

    def add(self, table: RouteTable) -> None:
        self._tables[table.id] = table
        self._touched.add(table.id)
        self._stale = True
        for route in table.routes:
            if route.kind is TargetKind.PORT:
                self._targeting[route.target].add(table.id)

    def drop(self, table: RouteTable) -> None:
        self._tables.pop(table.id, None)
        self._touched.add(table.id)
        self._stale = True
        for route in table.routes:
            self._targeting[route.target].discard(table.id)

    def records(self) -> Mapping[str, RouteTable]:
        """By id."""
        return self._tables

    def use(self, table: str) -> None:
        """One more port, or gateway, uses the table."""
        self._users[table] += 1

    def leave(self, table: str) -> None:
        self._users[table] -= 1

    def moved(self, interface: str) -> None:
        """An interface came, went or changed: routes may lead there."""
        self._touched |= self._targeting.get(interface, set())

    def middles(self) -> Set[str]:
        """The interfaces that routes of the tables in use lead to."""
        used = {table for table, users in self._users.items() if users > 0}
        return {interface for interface, tables in self._targeting.items() if tables & used}

    def steering(self) -> Set[str]:
        """The tables in use that have a route within the VPC."""
        return self._ruling[1] if self._ruling else frozenset()

    def stage(self, vpc: Vpc, whole: bool) -> None:
        """Stage the routes of the tables concerned: of all when the VPC goes over to own tables or back.

        :param whole: the VPC itself changed, so every table is looked at again.
        """
        blocks = vpc.blocks
        if whole or self._stale:
            self._inside = {table.id for table in self._tables.values() if routing.inside(table, blocks)}
        used = {table for table, ports in self._users.items() if ports > 0}
        inside = used & self._inside
        covered = frozenset(block for table in inside for block in routing.inside(self._tables[table], blocks))
        ruling = (used, inside, covered) if len(used) > 1 or inside else None
        if whole or (ruling is None) != (self._ruling is None):
            touched = used | self._staged.keys()
        else:
            touched = self._touched | (used ^ self._staged.keys())
        if ruling != self._ruling or whole:
            self._ruling = ruling
            self._stage_rules(vpc.subnets)
        self._touched, self._stale = set(), False
        for table in touched:
            self._node.routes.withdraw(self._staged.pop(table, ()))
        for table in touched & used:
            cells = [(key_of(route), route) for route in self._routes(table, blocks)]
            self._staged[table] = [key for key, _ in cells]
            self._node.routes.announce(cells)

    def _stage_rules(self, subnets: Collection[Subnet]) -> None:
        self._node.rules.withdraw(list(self._node.rules.held))
        if self._ruling is not None:
            used, inside, covered = self._ruling
            wanted = [rule for table in used for rule in routing.own_rules(table, table in inside)]
            wanted += routing.subnet_rules(subnets, covered)
            self._node.rules.announce((rule, True) for rule in (*routing.LOCAL_RULES, *wanted))

    def _routes(self, table: str, blocks: Collection[Network]) -> Iterator[Route]:
        record = self._tables.get(table) or RouteTable(table, "", ())
        if self._ruling is not None:
            return routing.own_routes(record, blocks, self._resolve)
        return routing.shared_routes(record, self._resolve)
