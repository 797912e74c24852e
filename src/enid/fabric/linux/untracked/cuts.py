"""Running flows that a change of rules ends, as AWS ends those it does not track. See :mod:`enid.topology.tracking`.

Here conntrack has every flow, and packets of established ones pass unasked. So it is the change that looks for those
that would not have been tracked and that the rules no longer allow, after these are in force. It does not forget them:
what is still on its way, most of all an answer, would begin them anew. It marks them as cut. From then on their packets
meet the gates, each by itself, for as long as somebody sends any. Once the rules allow them again they are forgotten,
so that the next packet begins them anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from enid.fabric.linux.untracked.former import formers
from enid.fabric.linux.untracked.judge import End, Judge, Scene
from enid.fabric.linux.untracked.narrowing import Narrowing
from enid.netlink import conntrack
from enid.netlink.conntrack import Flow
from enid.netlink.netfilter import NetfilterSocket
from enid.topology.records import Change, Port, SecurityGroup
from enid.topology.tracking import Openness, speaks

Kind = tuple[int, int, int]
"""IP version, protocol, destination port."""


class Cuts:
    """A router's. ``netfilter`` is the socket in its namespace."""

    def __init__(self, netfilter: NetfilterSocket) -> None:
        self._netfilter = netfilter
        self._cut: dict[str, set[Kind]] = {}
        """Security group → the kinds of flows that were cut at interfaces which have it. They may be gone."""

    def follow(self, scene: Scene, changes: Iterable[Change], narrowing: Narrowing | None) -> None:
        """After a change. Raises OSError."""
        pardons = any(self._may_pardon(change) for change in changes) if self._cut else False
        if narrowing is not None:
            flows = self._listed(narrowing, everything=pardons)
            judge = Judge(scene, narrowing.concerns, _openness_before(scene, narrowing))
            self._carry_out(judge, flows, anew=pardons)
        elif pardons:
            self._carry_out(Judge(scene), conntrack.listed(self._netfilter, cut=True), anew=True)

    def adopt(self, scene: Scene, tables: Iterable[str]) -> None:
        """After a router was taken over.

        :param tables: the nftables tables that were in force, the last one first.
        """
        if not conntrack.flows(self._netfilter):
            return
        said = formers(self._netfilter, tables)
        judge = Judge(scene, lambda _: True, lambda end: (former.openness(end.own) for former in said))
        self._carry_out(judge, conntrack.listed(self._netfilter), anew=True)

    def _may_pardon(self, change: Change) -> bool:
        """The change allows something that may have been cut."""
        old, new = change.old, change.new
        if isinstance(old, Port) and isinstance(new, Port):
            return old.groups != new.groups and not self._cut.keys().isdisjoint(old.groups + new.groups)
        if not isinstance(new, SecurityGroup) or new.id not in self._cut:
            return False
        inward, outward = (old.ingress, old.egress) if isinstance(old, SecurityGroup) else ((), ())
        more = {*new.ingress} - {*inward} | {*new.egress} - {*outward}
        return any(speaks(rule, *kind) for kind in self._cut[new.id] for rule in more)

    def _listed(self, narrowing: Narrowing, everything: bool) -> Iterator[Flow]:
        """The flows that may be concerned: the kernel leaves out what it can."""
        ways = narrowing.ways
        versions = {way.version for way, _ in ways}
        ports = {(way.protocol, *ports) for way, ports in ways}
        protocol, first, last = min(ports)
        only = (protocol, first) if len(ports) == 1 and first == last else None
        if everything or len(versions) > 1:
            return conntrack.listed(self._netfilter)
        return conntrack.listed(self._netfilter, min(versions), only)

    def _carry_out(self, judge: Judge, flows: Iterable[Flow], anew: bool) -> None:
        """:param anew: all flows that were cut are among these."""
        sentence = judge.judge(list(flows))  # the socket is needed meanwhile
        conntrack.cut(self._netfilter, sentence.cut)
        conntrack.forget_flows(self._netfilter, sentence.pardoned)
        found: dict[str, set[Kind]] = {} if anew else self._cut
        for flow in (*sentence.cut, *sentence.still):
            for end in judge.ends(flow):
                for group in end.port.groups:
                    found.setdefault(group, set()).add((end.way.version, flow.protocol, flow.port))
        self._cut = found


def _openness_before(scene: Scene, narrowing: Narrowing) -> Callable[[End], Iterable[Openness]]:
    """Worked out once for each combination of groups."""
    known: dict[tuple[str, ...], Openness] = {}

    def was(end: End) -> Iterable[Openness]:
        groups = narrowing.ports.get(end.port.id, end.port.groups)
        if groups not in known:
            known[groups] = narrowing.openness(groups, scene.groups)
        return (known[groups],)

    return was
