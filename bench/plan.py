"""What a run is asked for, and the table of benches it chooses from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bench.figures import Figure


@dataclass(frozen=True, slots=True)
class Plan:
    """``only`` empty means everything that is not left for a run of ``everything``."""

    quick: bool = False
    only: frozenset[str] = frozenset()
    everything: bool = False

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Plan:
        """From ``QUICK``, ``ONLY`` and ``ALL``."""
        names = environment.get("ONLY", "").replace(",", " ").split()
        quick, everything = (environment.get(name, "") not in ("", "0") for name in ("QUICK", "ALL"))
        return cls(quick, frozenset(names), everything)

    def wants(self, name: str) -> bool:
        return not self.only or name in self.only

    def rounds(self, full: int) -> int:
        """How many, of ``full``: a quarter when it has to be quick."""
        return max(full // 4, 2) if self.quick else full


@dataclass(frozen=True, slots=True)
class Bench:
    """One measurement, or several that share a set-up."""

    name: str
    figures: tuple[str, ...]
    run: Callable[[Plan], Iterable[Figure]]
    further: bool = False
    """Takes its time: measured when it is asked for by name, or when everything is."""

    def wanted(self, plan: Plan) -> Plan | None:
        """The plan for this bench, None when nothing of it is asked for. Its own name asks for all of it."""
        if self.name in plan.only or (not plan.only and (plan.everything or not self.further)):
            return Plan(plan.quick)
        return plan if plan.only & set(self.figures) else None
