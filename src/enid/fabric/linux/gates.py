"""A VPC's nftables table as it is kept: what is known to be there, what is wanted, and the transaction in between.

A table is never emptied or replaced under the packets that are among its rules: the kernel takes the elements of a
deleted set away at once, so that such a packet would find nobody allowed anything. A table written anew stands beside
the old one under a name of its own, and both judge; then the old one's base chains go, so that no packet enters it any
more; and later, when none can be inside, the rest.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeVar

from enid.fabric.linux import elements, flow_logging, groups, names, network_acls, timeouts
from enid.fabric.linux.cells import Cells
from enid.fabric.linux.groups import Element
from enid.fabric.linux.names import TABLE
from enid.fabric.linux.ruleset import no_translation, skeleton, translation
from enid.fabric.linux.untracked import former
from enid.netlink import nftables
from enid.netlink.netfilter import NetfilterSocket
from enid.netlink.nftables import Data, Key, in_table
from enid.topology.records import NetworkAcl, Port, SecurityGroup

_FIRST_SETS = (
    *("acl_egress", "acl_ingress", "beside", "subnet"),
    *("peer_flows", "peer_mark", "peers4", "peers6"),
    *("own4", "own6"),
    *("spoof4", "spoof6", "delegated4", "delegated6", "unchecked", "middles", "outside", "blocks4", "blocks6"),
    *("public", "public_of", "private_of", "gateway_table"),
)
"""What running flows need, if the first table is too big for one transaction. Nobody may send before network ACLs are
there."""
_Parsed = TypeVar("_Parsed")


class Gates:
    """The table in the namespace of ``netfilter``. :meth:`begin` comes first, then changes, then :meth:`commit`."""

    def __init__(self, netfilter: NetfilterSocket) -> None:
        self._netfilter = netfilter
        self._table = max(tables(netfilter), key=_number, default=names.TABLE)
        self._retired: list[str] = []
        """Tables that were replaced, to be deleted."""
        self._clear()

    def _clear(self) -> None:
        self._skeleton: list[bytes] = []
        self._structure: list[bytes] = []
        self._elements: Cells[tuple[str, Key], Data] = Cells()
        self._sets: dict[str, nftables.Set] = {}
        """Those of security groups that are there."""
        self._kept: list[str] = []
        """What :mod:`former` needs until flows are judged: names of sets."""
        self._features: defaultdict[str, set[groups.Feature]] = defaultdict(set)
        self._unused: dict[str, int] = {}
        """Group → how many of these its rules do not match by any more; all of them, when it is gone."""
        self._combinations: dict[tuple[str, ...], int] = {}
        """Those that have chains, with how many ports carry them."""
        self._carrying: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
        """Group → the combinations it is part of."""
        self._delegating: set[tuple[str, int]] = set()
        """Groups that have, or had, a member with prefixes of an IP version: references to them look there too."""
        self._timeouts: Counter[str] = Counter()
        """The declared specifications, with how many ports want them."""
        self._translates = False
        self._acls: Cells[str, network_acls.Entries] = Cells()
        """The chains of network ACLs that deny something."""
        self._logged = 0
        """How many ports have a flow log."""
        self._logs = False
        self._hooked = False
        """Packets enter the retired tables until the next commit is through."""

    def begin(self, unjudged: bool = False) -> None:
        """Write the table anew with the next commit, whatever there is now; its counters go on.

        :param unjudged: it is marked so until :meth:`let_go`.
        """
        self._clear()
        self._skeleton = skeleton(self.drops())
        if unjudged:
            self._skeleton.append(nftables.add_set(TABLE, former.UNJUDGED))
            self._kept.append(former.UNJUDGED.name)
        self._retired = tables(self._netfilter)
        self._hooked = bool(self._retired)
        self._table = names.table(_number(self._table) + 1)

    def announce(self, wanted: Iterable[Element]) -> None:
        """Elements of the fixed sets."""
        self._elements.announce(wanted)

    def withdraw(self, unwanted: Iterable[Element]) -> None:
        self._elements.withdraw(key for key, _ in unwanted)

    def translate(self, wanted: bool) -> None:
        """Public addresses are translated at the link to the internet, or not at all."""
        if wanted != self._translates:
            self._skeleton += translation() if wanted else no_translation()
            self._translates = wanted

    def announce_acl(self, acl: NetworkAcl) -> None:
        self._acls.announce(network_acls.chains(acl))
        self._elements.announce(network_acls.dispatch(acl))

    def withdraw_acl(self, acl: NetworkAcl) -> None:
        self._acls.withdraw(name for name, _ in network_acls.chains(acl))
        self.withdraw(network_acls.dispatch(acl))

    def announce_group(self, group: SecurityGroup) -> None:
        for feature in groups.features(group) - self._features[group.id]:
            self._know_feature(group.id, feature)
            if (feature.referenced, feature.version) in self._delegating:
                self._know_feature(group.id, feature._replace(delegated=True))
        self._elements.announce(groups.elements(group))
        self._count_unused(group.id, groups.features(group))

    def _count_unused(self, group: str, used: set[groups.Feature]) -> None:
        unused = sum(1 for known in self._features[group] if known._replace(delegated=False) not in used)
        self._unused.pop(group, None)
        if unused:
            self._unused[group] = unused

    def _know_feature(self, group: str, feature: groups.Feature) -> None:
        self._features[group].add(feature)
        self._know_sets(groups.sets(group, feature))
        self._structure += [groups.allow(carried, group, feature) for carried in self._carrying[group]]

    def _know_delegation(self, group: str, version: int) -> None:
        """The group has a member with prefixes."""
        if (group, version) in self._delegating:
            return
        self._delegating.add((group, version))
        self._know_sets([groups.prefixes_set(group, version)])
        for referring, features in list(self._features.items()):
            for feature in [one for one in features if (one.referenced, one.version) == (group, version)]:
                self._know_feature(referring, feature._replace(delegated=True))

    def withdraw_group(self, group: SecurityGroup) -> None:
        """Its rules; ports that still carry it are denied what it allowed."""
        self.withdraw(groups.elements(group))
        self._count_unused(group.id, set())

    def announce_port(self, port: Port, here: bool) -> None:
        """``here``: it is plugged in on this host, not only a member of its groups."""
        versions = {address.version for address in port.addresses}
        self._know_sets(groups.members_set(group, version) for group in port.groups for version in versions)
        for group, version in {(group, prefix.version) for group in port.groups for prefix in port.prefixes}:
            self._know_delegation(group, version)
        self._elements.announce(elements.membership(port))
        if here:
            self._carry(port, 1)
            self._logged += port.logged
            self._elements.announce(elements.plug(port))
            self._announce_timeouts(port)

    def withdraw_port(self, port: Port, here: bool) -> None:
        self.withdraw(elements.membership(port))
        if here:
            self._carry(port, -1)
            self._logged -= port.logged
            self.withdraw(elements.plug(port))
            self._timeouts.subtract(timeouts.wanted(port.timeouts).values())
            self.withdraw(timeouts.elements(port))

    def _announce_timeouts(self, port: Port) -> None:
        for protocol, name in timeouts.wanted(port.timeouts).items():
            if not self._timeouts:
                self._structure += timeouts.structure()
            if name not in self._timeouts:
                self._structure.append(timeouts.declare(protocol, name, port.timeouts))
            self._timeouts[name] += 1
        self._elements.announce(timeouts.elements(port))

    def _know_sets(self, wanted: Iterable[nftables.Set]) -> None:
        for declared in wanted:
            if declared.name not in self._sets:
                self._sets[declared.name] = declared
                self._structure.append(nftables.add_set(TABLE, declared))

    def _carry(self, port: Port, more: int) -> None:
        """Its combination is carried by one port more, or one less."""
        if port.gated:
            self._know_combination(port.groups)
            self._combinations[port.groups] += more

    def _know_combination(self, combination: tuple[str, ...]) -> None:
        if combination in self._combinations:
            return
        self._combinations[combination] = 0
        self._structure += groups.chains(combination)
        for group in combination:
            self._carrying[group].append(combination)
            self._structure += [groups.allow(combination, group, feature) for feature in self._features[group]]
        self._elements.announce(groups.dispatch(combination))

    def _log(self) -> list[bytes]:
        """What begins or ends the copies for flow logs."""
        if bool(self._logged) == self._logs:
            return []
        self._logs = not self._logs
        return flow_logging.begin(_number(self._table)) if self._logs else flow_logging.end()

    def garbage(self) -> int:
        """How many combinations nobody carries still have chains, how many timeouts nobody wants are declared, and in
        how many ways of matching that no rule has any more there are still sets. They are left until the table is
        written anew."""
        idle = sum(1 for users in (*self._combinations.values(), *self._timeouts.values()) if not users)
        return idle + sum(self._unused.values())

    def carried(self, group: str) -> Collection[tuple[str, ...]]:
        """The combinations with chains that the group is part of."""
        return self._carrying.get(group, ())

    def commit(self, keep: bool = False) -> None:
        """One transaction, unless it is too big for an ordinary user's socket. Raises OSError.

        :param keep: what is taken out of the sets of security groups, and put into them, stands beside them until
            :meth:`let_go`, for :mod:`former` to read.
        """
        work = self._elements.take()
        kept = former.beside(self._sets, work) if keep else {}
        self._kept += kept
        doomed: dict[str, list[Key]] = defaultdict(list)
        for (name, key), _ in chain(work.removed, work.changed):
            doomed[name].append(key)
        fresh: dict[str, list[tuple[Key, Data]]] = defaultdict(list)
        for (name, key), data in chain(work.added, work.changed):
            fresh[name].append((key, data or None))
        gone = [part for name, keys in doomed.items() for part in nftables.delete_elements(TABLE, name, keys)]
        added = {name: nftables.add_elements(TABLE, name, cells) for name, cells in fresh.items()}
        first = [part for name in _FIRST_SETS for part in added.pop(name, ())]
        guarded = bool(self._acls.held)
        acls, left_over = network_acls.rewritten(self._acls.take(), guarded, bool(self._acls.held))
        log = self._log()
        begin = [*self._skeleton, *log, *acls, *chain(*kept.values()), *gone]
        messages = [*begin, *first, *self._structure, *chain(*added.values()), *left_over]
        self._skeleton, self._structure = [], []
        for transaction in self._transactions([in_table(message, self._table) for message in messages]):
            self._netfilter.commit(transaction)
        if self._hooked:
            self._hooked = False
            self._unhook()

    def let_go(self) -> None:
        """Of what was kept, and of the mark: all flows are judged."""
        doomed, self._kept = self._kept, []
        self._netfilter.commit([nftables.delete_set(self._table, name) for name in doomed])

    def _transactions(self, messages: list[bytes]) -> Iterator[list[bytes]]:
        """If it must be several while another table judges, base chains come last: no packet meets half a table."""
        whole = sum(map(len, messages)) <= self._netfilter.capacity
        if whole or not self._hooked:
            return _split(messages, self._netfilter.capacity)
        base = {name for message in messages if (name := nftables.base_chain_of(message))}
        hooks = [message for message in messages if nftables.chain_of(message) in base]
        rest = [message for message in messages if nftables.chain_of(message) not in base]
        return chain(_split(rest, self._netfilter.capacity), _split(hooks, self._netfilter.capacity))

    def _unhook(self) -> None:
        """No packet enters the retired tables any more."""
        chains = self._dump(nftables.get_chains(), nftables.parse_chain)
        doomed = [(table, name) for table, name, base in chains if base and table in self._retired]
        self._netfilter.commit([nftables.delete_chain(table, name) for table, name in doomed])

    @property
    def replaced(self) -> Sequence[str]:
        """Older tables of which something is left, the last one first: see :meth:`tidy`."""
        return sorted(self._retired, key=_number, reverse=True)

    @property
    def replaces(self) -> bool:
        """Something is left of an older table: see :meth:`tidy`."""
        return bool(self._retired)

    def tidy(self) -> None:
        """Delete the retired tables: to be called some time after they were replaced."""
        self._netfilter.commit([nftables.delete_table(table) for table in self._retired])
        self._retired = []

    def drops(self) -> Mapping[str, int]:
        """Packets dropped so far, by reason."""
        return dict(self._dump(nftables.get_counters(self._table), nftables.parse_counter))

    def _dump(self, request: bytes, parse: Callable[[bytes], _Parsed]) -> list[_Parsed]:
        try:
            return [parse(body) for body in self._netfilter.dump(request)]
        except FileNotFoundError:
            return []


def tables(netfilter: NetfilterSocket) -> list[str]:
    """Ours that are there."""
    found = [nftables.parse_table(body) for body in netfilter.dump(nftables.get_tables())]
    return [name for name in found if names.table_number(name) is not None]


def _number(table: str) -> int:
    return names.table_number(table) or 0


def _split(messages: list[bytes], capacity: int) -> Iterator[list[bytes]]:
    part: list[bytes] = []
    size = 0
    for message in messages:
        if part and size + len(message) > capacity:
            yield part
            part, size = [], 0
        part.append(message)
        size += len(message)
    if part:
        yield part
